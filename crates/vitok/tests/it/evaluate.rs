//! The evaluation engine through the library: any codec, baselines, stopping and going on, what is skipped, the files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tempfile::TempDir;
use vitok::evaluate::{Baselines, Candidate, EvaluateConfig, Metric, PcaSource, Report, evaluate};
use vitok::media::{Clip, ClipShape, Image, read_image, write_image};
use vitok::metrics::{mean_scores, score_clip};
use vitok::observe::{Event, Observer, Silent};
use vitok::patches::Tubelet;
use vitok::tokenizer::baselines::{CodeSize, Pca};
use vitok::tokenizer::{Codec, Reconstruction};
use vitok::{Device, Error, Remedy, Result};

/// An image of waves, another for each number; its first pixel says which.
fn image(number: usize, width: usize, height: usize) -> Image {
    let value = |i: usize| {
        let (x, y, color) = (i / 3 % width, i / 3 / width, i % 3);
        let phase = x as f32 * (0.2 + 0.05 * number as f32) + y as f32 * 0.15 * (color + 1) as f32;
        (128.0 + 90.0 * (phase + number as f32).sin()) as u8
    };
    let mut rgb: Vec<u8> = (0..3 * width * height).map(value).collect();
    rgb[0] = number as u8;
    Image::new(width, height, rgb).unwrap()
}

/// A folder of images with these numbers.
fn write_images(folder: &Path, numbers: impl IntoIterator<Item = usize>) {
    for number in numbers {
        write_image(&folder.join(format!("{number:02}.png")), &image(number, 48, 40)).unwrap();
    }
}

/// Takes the mean of neighbors in a row, and fails for the image of one number.
struct Blur {
    fails_for: Option<u8>,
}

impl Blur {
    fn candidate() -> Candidate {
        Candidate::codec("blur", Box::new(Self { fails_for: None }), "")
    }

    fn of(image: Image) -> Result<Image> {
        let (width, height) = (image.width(), image.height());
        let rgb = image.rgb();
        let value = |i: usize| {
            let left = if (i / 3).is_multiple_of(width) { i } else { i - 3 };
            ((u16::from(rgb[i]) + u16::from(rgb[left])) / 2) as u8
        };
        Image::new(width, height, (0..rgb.len()).map(value).collect())
    }
}

impl Codec for Blur {
    fn name(&self) -> String {
        "blur".into()
    }

    fn reconstruct(&self, clips: &[Clip]) -> Result<Vec<Reconstruction>> {
        let one = |clip: &Clip| {
            if self.fails_for == Some(clip.frames()[0].rgb()[0]) {
                return Err(Error::InvalidArgument("this codec does not like the image".into()));
            }
            Ok(Reconstruction {
                clip: clip.clone().map(Self::of)?,
                values: Some(7),
                bytes: 14,
                quality: None,
            })
        };
        clips.iter().map(one).collect()
    }

    fn tokens(&self, _: ClipShape) -> usize {
        256
    }
}

/// Notes events, and cancels once it has seen so many steps of progress.
#[derive(Default)]
struct Watcher {
    said: Mutex<Vec<String>>,
    /// Steps of progress in scoring.
    steps: AtomicUsize,
    is_scoring: AtomicBool,
    cancel_after: Option<usize>,
}

impl Watcher {
    fn said(&self) -> String {
        self.said.lock().unwrap().join("\n")
    }
}

impl Observer for Watcher {
    fn event(&self, event: Event) {
        match event {
            Event::Begin { task, .. } => self.is_scoring.store(task != "looking for changes", Ordering::SeqCst),
            Event::Progress { .. } if self.is_scoring.load(Ordering::SeqCst) => {
                self.steps.fetch_add(1, Ordering::SeqCst);
            }
            Event::Note(text) | Event::Warning(text) => self.said.lock().unwrap().push(text.to_owned()),
            _ => {}
        }
    }

    fn cancelled(&self) -> bool {
        self.cancel_after
            .is_some_and(|steps| self.steps.load(Ordering::SeqCst) >= steps)
    }
}

/// Metrics that need no weights.
const METRICS: [Metric; 4] = [Metric::Psnr, Metric::Ssim, Metric::Mse, Metric::Mae];

fn config(originals: &Path, candidates: Vec<Candidate>) -> EvaluateConfig {
    EvaluateConfig {
        metrics: Some(METRICS.to_vec()),
        resamples: 50,
        ..EvaluateConfig::new(vec![originals.display().to_string()], candidates)
    }
}

fn run(config: &EvaluateConfig) -> Result<Report> {
    evaluate(config, &Device::flex(), &Silent)
}

fn value(report: &Report, model: usize, key: &str) -> f64 {
    let score = &report.models[model].scores[key];
    score.value.unwrap_or_else(|| panic!("{key}: {score:?}"))
}

/// Codes of the size of 8 x 8 patches with 12 channels.
fn baselines(pca: PcaSource) -> Option<Baselines> {
    let tubelet = Tubelet { frames: 1, patch: 8 };
    let size = CodeSize { tubelet, channels: 12 };
    Some(Baselines { size, pca })
}

/// Folders `a` of originals and `fit` of other images.
fn folders(count: usize) -> (TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (originals, fit) = (folder.path().join("a"), folder.path().join("fit"));
    write_images(&originals, 0..count);
    write_images(&fit, 50..56);
    (folder, originals, fit)
}

#[test]
fn any_codec_is_scored_beside_the_baselines() {
    let (folder, originals, fit) = folders(5);
    let mut config = config(&originals, vec![Blur::candidate()]);
    config.resamples = 0;
    config.baselines = baselines(PcaSource::Fit {
        data: vec![fit.display().to_string()],
        save: Some(folder.path().join("pca.safetensors")),
    });
    let report = run(&config).unwrap();
    let names: Vec<&str> = report.models.iter().map(|model| model.name.as_str()).collect();
    assert_eq!(names, ["blur", "PCA 8x8 to 12", "bicubic", "JPEG"]);
    // The scores are those of the one function for them.
    let scores = (0..5).map(|number| {
        let original = image(number, 48, 40);
        score_clip(&original.clone().into(), &Blur::of(original).unwrap().into()).unwrap()
    });
    let expected = mean_scores(&scores.collect::<Vec<_>>()).unwrap();
    assert!((value(&report, 0, "psnr") - expected.psnr).abs() < 1e-9);
    assert!((value(&report, 0, "ssim") - expected.ssim.unwrap()).abs() < 1e-9);
    // What the codes take: the baselines have the values they were allowed, JPEG has none.
    assert_eq!((value(&report, 0, "values"), value(&report, 0, "bytes")), (7.0, 14.0));
    let values = 6.0 * 5.0 * 12.0;
    assert_eq!(
        (value(&report, 1, "values"), value(&report, 1, "bytes")),
        (values, 2.0 * values)
    );
    assert!(value(&report, 2, "values") >= values);
    let jpeg = &report.models[3].scores["values"];
    assert!(jpeg.value.is_none() && jpeg.missing.is_some(), "{jpeg:?}");
    assert!(value(&report, 3, "bytes") > 0.0);
    let quality = report.models[3].scores["bytes"].note.clone().unwrap();
    assert!(quality.starts_with("at quality "), "{quality}");
    let table = report.table();
    assert_eq!(table.headers[..3], ["model", "Values", "Bytes"]);
    assert_eq!((table.rows[0][0].as_str(), table.rows[3][1].as_str()), ("blur", "-"));
    // The PCA is kept, and gives the same scores when it is given.
    let pca = Pca::load(&folder.path().join("pca.safetensors")).unwrap();
    config.baselines = baselines(PcaSource::Fitted(pca));
    assert_eq!(value(&run(&config).unwrap(), 1, "mse"), value(&report, 1, "mse"));
}

#[test]
fn a_sheet_has_a_title_above_every_column() {
    let (_folder, originals, _) = folders(3);
    let mut config = config(&originals, vec![Blur::candidate()]);
    config.baselines = baselines(PcaSource::None);
    let sheet = run(&config).unwrap().sheet.unwrap();
    let (columns, rows) = (4, 3);
    assert_eq!(sheet.width(), columns * 48 + (columns - 1) * 4);
    let images = rows * 40 + (rows - 1) * 2;
    let header = sheet.height() - images;
    // "original" has more characters than a column of 48 pixels.
    assert_eq!(header, 2 * 10 + 4);
    for column in 0..columns {
        let title = sheet.crop(column * 52, 0, 48, header).unwrap();
        assert!(title.rgb().contains(&0), "no title above column {column}");
        // The letters of the font touch neither the edge above nor the image below.
        for (top, rows) in [(0, 3), (header - 3, 3)] {
            let margin = title.crop(0, top, 48, rows).unwrap();
            assert!(
                margin.rgb().iter().all(|v| *v == 255),
                "column {column}, from row {top}"
            );
        }
    }
    let first = sheet.crop(0, header, 48, 40).unwrap();
    assert_eq!(first, image(0, 48, 40));
    assert_eq!(sheet.crop(52, header, 48, 40).unwrap(), Blur::of(first).unwrap());
}

#[test]
fn a_cancelled_evaluation_goes_on_to_the_same_scores() {
    let (folder, originals, _) = folders(20);
    let mut config = config(&originals, vec![Blur::candidate()]);
    let whole = run(&config).unwrap();
    config.out = Some(folder.path().join("e"));
    let watcher = Watcher {
        cancel_after: Some(1),
        ..Watcher::default()
    };
    let stopped = evaluate(&config, &Device::flex(), &watcher);
    assert!(matches!(stopped, Err(Error::Cancelled)));
    assert!(watcher.said().contains("stopped after 8 of 20"), "{}", watcher.said());
    let watcher = Watcher::default();
    let resumed = evaluate(&config, &Device::flex(), &watcher).unwrap();
    assert!(watcher.said().contains("going on after 8 of 20"), "{}", watcher.said());
    assert_eq!(watcher.steps.load(Ordering::SeqCst), 2, "only what is left");
    assert_eq!(resumed.to_json().unwrap(), whole.to_json().unwrap());
}

#[test]
fn a_clip_that_fails_is_skipped_and_the_others_are_scored() {
    let (_folder, originals, _) = folders(6);
    fs::write(originals.join("04.png"), b"no image").unwrap();
    let picky = Box::new(Blur { fails_for: Some(2) });
    let report = run(&config(&originals, vec![Candidate::codec("picky", picky, "")])).unwrap();
    let skipped: Vec<(bool, bool)> = (report.skipped.iter())
        .map(|skipped| {
            (
                skipped.file.ends_with("02.png"),
                skipped.reason.contains("does not like"),
            )
        })
        .collect();
    assert_eq!(skipped, [(true, true), (false, false)], "{:?}", report.skipped);
    assert_eq!(report.models[0].count, 4);
    let psnr = &report.models[0].per_image["psnr"];
    assert_eq!(
        psnr.iter().map(Option::is_some).collect::<Vec<_>>(),
        [true, true, false, true, false, true]
    );
    let missing = &report.models[0].missing;
    assert_eq!(missing.len(), 2, "{missing:?}");
    for (scores, image) in missing.iter().zip([2, 4]) {
        assert_eq!(
            (scores.images.as_slice(), scores.metrics.len()),
            (&[image][..], METRICS.len())
        );
    }
    // What is not there for every candidate is on no sheet.
    assert_eq!(report.sheet.unwrap().height(), 24 + 4 * 40 + 3 * 2);
    assert!(
        report
            .warnings
            .iter()
            .any(|warning| warning.contains("2 images were skipped"))
    );
}

#[test]
fn each_of_several_sizes_has_its_own_folder_and_fit() {
    let (folder, originals, fit) = folders(3);
    let mut config = config(&originals, vec![Blur::candidate()]);
    let (out, pca) = (folder.path().join("e"), folder.path().join("pca.safetensors"));
    config.out = Some(out.clone());
    config.baselines = baselines(PcaSource::Fit {
        data: vec![fit.display().to_string()],
        save: Some(pca.clone()),
    });
    let mut values = Vec::new();
    for config in config.at_sizes(&[16, 32]) {
        let report = run(&config).unwrap();
        report.write(config.out.as_ref().unwrap()).unwrap();
        assert!(report.heading().contains("center crop of"), "{}", report.heading());
        values.push(value(&report, 1, "values"));
    }
    assert_eq!(values, [4.0 * 12.0, 16.0 * 12.0]);
    for side in [16, 32] {
        let folder = out.join(side.to_string());
        let sheet = read_image(&folder.join("sheet.png"), &Default::default()).unwrap();
        assert_eq!(sheet.width(), 5 * side + 4 * 4);
        assert!(sheet.height() > 3 * side + 2 * 2);
        assert!(folder.join("scores.json").is_file());
    }
    // It is that of the first size, which the second did not overwrite.
    let fitted = PcaSource::Fitted(Pca::load(&pca).unwrap());
    let mut again = config.at_sizes(&[16]).remove(0);
    again.baselines = baselines(fitted);
    again.out = None;
    let first: serde_json::Value = serde_json::from_slice(&fs::read(out.join("16/scores.json")).unwrap()).unwrap();
    let mse = first["models"][1]["scores"]["mse"]["value"].as_f64().unwrap();
    assert_eq!(value(&run(&again).unwrap(), 1, "mse"), mse);
}

#[test]
fn the_report_is_written_as_json_table_page_and_sheet() {
    let (folder, originals, _) = folders(3);
    fs::rename(originals.join("01.png"), originals.join("a, \"b\".png")).unwrap();
    // An output folder among the originals is no input, whatever it holds.
    let out = originals.join("e");
    let mut config = config(&originals, vec![Blur::candidate()]);
    config.out = Some(out.clone());
    config.command = "vitok evaluate a".into();
    run(&config).unwrap().write(&out).unwrap();
    let report = run(&config).unwrap();
    assert_eq!(report.models[0].count, 3);
    report.write(&out).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&fs::read(out.join("scores.json")).unwrap()).unwrap();
    assert_eq!(json["models"][0]["kind"], "model");
    assert_eq!(json["images"].as_array().unwrap().len(), 3);
    let csv = fs::read_to_string(out.join("images.csv")).unwrap();
    assert!(csv.starts_with("image,blur psnr,"), "{csv}");
    assert_eq!(csv.lines().count(), 1 + 3);
    assert!(csv.contains("\"a, \"\"b\"\".png\","), "{csv}");
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert_eq!(page.matches("data:image/png;base64,").count(), 3 * 2);
    assert!(page.contains("vitok evaluate a") && !page.contains("/*DATA*/"));
    // The folder of the originals itself would hold the sheet among them.
    config.out = Some(originals);
    let error = run(&config).unwrap_err();
    assert!(matches!(error, Error::Occupied { .. }), "{error}");
    drop(folder);
}

#[test]
fn outputs_on_disk_belong_to_originals_by_name() {
    let (folder, originals, _) = folders(3);
    let outputs = folder.path().join("b");
    for number in [0, 2] {
        let blurred = Blur::of(image(number, 48, 40)).unwrap();
        write_image(&outputs.join(format!("{number:02}.bmp")), &blurred).unwrap();
    }
    let files = Candidate::files(outputs.display().to_string());
    let report = run(&config(&originals, vec![files.clone(), Blur::candidate()])).unwrap();
    let psnr = |model: usize| report.models[model].per_image["psnr"].clone();
    assert_eq!((psnr(0)[0], psnr(0)[2]), (psnr(1)[0], psnr(1)[2]));
    assert!(report.skipped[0].reason.contains("no output"), "{:?}", report.skipped);
    assert!(report.models[0].scores["bytes"].missing.is_some());

    fs::rename(outputs.join("00.bmp"), outputs.join("other.bmp")).unwrap();
    fs::remove_file(outputs.join("02.bmp")).unwrap();
    let error = run(&config(&originals, vec![files])).unwrap_err();
    assert!(
        matches!(&error, Error::NoPairs { output, .. } if output.contains("other.bmp")),
        "{error}"
    );
    assert_eq!(error.remedies(), [Remedy::CompareUnpaired]);
}

#[test]
fn clips_are_scored_over_all_their_frames() {
    let folder = tempfile::tempdir().unwrap();
    let originals = folder.path().join("a");
    for clip in 0..2 {
        write_images(&originals.join(format!("{clip}")), 10 * clip..10 * clip + 3);
    }
    let mut config = config(&originals, vec![Blur::candidate()]);
    config.max_frames = 3;
    config.metrics = Some(vec![Metric::Psnr, Metric::Ssim]);
    config.baselines = baselines(PcaSource::None);
    let report = run(&config).unwrap();
    assert_eq!(report.models[0].count, 2);
    let frames = (0..3).map(|number| image(number, 48, 40));
    let original = Clip::new(frames.collect(), None).unwrap();
    let expected = score_clip(&original, &original.clone().map(Blur::of).unwrap()).unwrap();
    assert_eq!(report.models[0].per_image["psnr"][0], Some(expected.psnr));
    assert_eq!(report.models[0].per_image["ssim"][0], expected.ssim);
    assert_eq!(report.shown[0].original.len(), 3);

    config.metrics = Some(vec![Metric::Frechet]);
    let error = run(&config).unwrap_err();
    assert!(
        matches!(error, Error::TooFewFrames { needed: 9, most: 3, .. }),
        "{error}"
    );
    assert_eq!(error.remedies(), [Remedy::ReadMoreFrames(9)]);
}

#[test]
fn what_contradicts_itself_is_refused_before_anything_is_read() {
    let (folder, originals, fit) = folders(2);
    let refused = |change: &dyn Fn(&mut EvaluateConfig), reason: &str| {
        let mut config = config(&originals, vec![Blur::candidate()]);
        change(&mut config);
        let error = run(&config).unwrap_err();
        assert!(error.message().contains(reason), "{}", error.message());
        error
    };
    refused(&|config| config.candidates.clear(), "no candidates");
    refused(&|config| config.originals.clear(), "no originals");
    refused(&|config| config.unpaired = true, "unpaired");
    refused(
        &|config| config.candidates.push(Blur::candidate()),
        "blur is given twice",
    );
    refused(&|config| config.max_frames = 0, "one frame");
    let clips = |config: &mut EvaluateConfig| (config.explain, config.max_frames) = (true, 2);
    refused(&clips, "other common ways");
    let none = |config: &mut EvaluateConfig| config.originals = vec!["nowhere".into()];
    refused(&none, "nowhere");

    // A baseline may not be fitted on what it is scored on, stand beside another size, or overwrite something else.
    let fitted_on = |data: &Path, save: Option<PathBuf>| {
        baselines(PcaSource::Fit {
            data: vec![data.display().to_string()],
            save,
        })
    };
    refused(
        &|config| config.baselines = fitted_on(&originals, None),
        "among the originals",
    );
    let other = folder.path().join("notes.txt");
    fs::write(&other, b"mine").unwrap();
    let error = refused(
        &|config| config.baselines = fitted_on(&fit, Some(other.clone())),
        "no PCA",
    );
    assert_eq!(error.remedies(), [Remedy::ChooseOtherOutput]);
    let mut first = config(&originals, vec![Blur::candidate()]);
    let saved = folder.path().join("pca.safetensors");
    first.baselines = fitted_on(&fit, Some(saved.clone()));
    run(&first).unwrap();
    let larger = |config: &mut EvaluateConfig| {
        config.baselines = baselines(PcaSource::Fitted(Pca::load(&saved).unwrap()));
        config.baselines.as_mut().unwrap().size.channels = 16;
    };
    refused(&larger, "8 x 8 to 16");
}
