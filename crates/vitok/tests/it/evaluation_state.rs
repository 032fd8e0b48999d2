//! What a second evaluation in the same folder prints after something has changed: the right numbers, and of what is
//! unchanged nothing is scored again.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use vitok::evaluate::{Candidate, EvaluateConfig, Metric, Report, evaluate};
use vitok::media::{Clip, ClipShape, Image, write_image};
use vitok::observe::{Event, Observer, Silent};
use vitok::tokenizer::vit::{ModelConfig, VitTokenizer, WeightsFormat};
use vitok::tokenizer::{Codec, LoadPart, Reconstruction, load};
use vitok::weights::Dtype;
use vitok::{Device, Error, Remedy, Result};

/// Images of 16 x 16 pixels of one gray.
const COUNT: usize = 4;

fn write_gray(path: &Path, gray: u8) {
    write_image(path, &Image::new(16, 16, vec![gray; 3 * 16 * 16]).unwrap()).unwrap();
}

/// Overwrites a file, and gives it the time it had.
fn overwrite_unnoticed(path: &Path, write: impl FnOnce(&Path)) {
    let about = |path: &Path| fs::metadata(path).unwrap();
    let before = about(path);
    write(path);
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(before.modified().unwrap()).unwrap();
    assert_eq!(about(path).len(), before.len());
    assert_eq!(about(path).modified().unwrap(), before.modified().unwrap());
}

/// A tar of files.
fn pack(folder: &Path, tar: &Path) {
    let mut builder = tar::Builder::new(File::create(tar).unwrap());
    for number in 0..COUNT {
        let name = format!("{number}.bmp");
        builder.append_path_with_name(folder.join(&name), &name).unwrap();
    }
    builder.finish().unwrap();
}

/// Originals `a`, of which each output in `b` and in the shard `b.tar` is brighter by 3.
struct World {
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for number in 0..COUNT {
            write_gray(&world.original(number), 100 + 10 * number as u8);
            write_gray(&world.output(number), 103 + 10 * number as u8);
        }
        pack(&world.path("b"), &world.path("b.tar"));
        let names: Vec<String> = (0..COUNT).map(|number| format!("b/{number}.bmp")).collect();
        fs::write(world.path("list.txt"), names.join("\n")).unwrap();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn original(&self, number: usize) -> PathBuf {
        self.path(&format!("a/{number}.bmp"))
    }

    fn output(&self, number: usize) -> PathBuf {
        self.path(&format!("b/{number}.bmp"))
    }

    fn config(&self, outputs: &str) -> EvaluateConfig {
        let text = |name: &str| self.path(name).display().to_string();
        EvaluateConfig {
            metrics: Some(vec![Metric::Mse]),
            resamples: 0,
            out: Some(self.path("e")),
            ..EvaluateConfig::new(vec![text("a")], vec![Candidate::files(text(outputs))])
        }
    }
}

/// Notes what is said, and how many clips each pass still has to score.
#[derive(Default)]
struct Watcher {
    said: Mutex<Vec<String>>,
    scored: Mutex<u64>,
}

impl Observer for Watcher {
    fn event(&self, event: Event) {
        match event {
            Event::Begin { task, done, total } if task != "looking for changes" => {
                *self.scored.lock().unwrap() += total - done;
            }
            Event::Note(text) | Event::Warning(text) => self.said.lock().unwrap().push(text.to_owned()),
            _ => {}
        }
    }
}

/// Evaluates and writes the report. How many clips were scored, what was said, and the report.
fn run(config: &EvaluateConfig) -> (u64, String, Report) {
    let watcher = Watcher::default();
    let report = evaluate(config, &Device::flex(), &watcher).unwrap();
    if let Some(out) = &config.out {
        report.write(out).unwrap();
    }
    let said = watcher.said.into_inner().unwrap().join("\n");
    (watcher.scored.into_inner().unwrap(), said, report)
}

fn mse(report: &Report) -> f64 {
    report.models[0].scores["mse"].value.unwrap()
}

/// A change between two runs.
struct Change {
    name: &'static str,
    /// The outputs, and what else is there at the first run.
    outputs: &'static str,
    before: fn(&World, &mut EvaluateConfig),
    change: fn(&World, &mut EvaluateConfig),
    /// The mean squared error at the second run, of so many images.
    mse: f64,
    count: usize,
    /// How many images the second run scores.
    scored: u64,
    /// What it says.
    says: &'static str,
}

const NOTHING: Change = Change {
    name: "nothing",
    outputs: "b",
    before: |_, _| {},
    change: |_, _| {},
    mse: 9.0,
    count: COUNT,
    scored: 0,
    says: "",
};

#[test]
fn a_second_run_prints_the_right_number_whatever_has_changed() {
    let changes = [
        NOTHING,
        Change {
            name: "an output overwritten, with the same size and time",
            change: |world, _| overwrite_unnoticed(&world.output(1), |path| write_gray(path, 117)),
            mse: (3.0 * 9.0 + 49.0) / 4.0,
            scored: 1,
            says: "1 of 4 outputs changed since the last run",
            ..NOTHING
        },
        Change {
            name: "an original overwritten, with the same size and time",
            change: |world, _| overwrite_unnoticed(&world.original(2), |path| write_gray(path, 123)),
            mse: 27.0 / 4.0,
            scored: 1,
            says: "1 of 4 originals changed since the last run",
            ..NOTHING
        },
        Change {
            name: "a shard replaced, with the same size and time",
            outputs: "b.tar",
            change: |world, _| {
                for number in 0..2 {
                    write_gray(&world.output(number), 105 + 10 * number as u8);
                }
                overwrite_unnoticed(&world.path("b.tar"), |tar| pack(&world.path("b"), tar));
            },
            mse: (2.0 * 9.0 + 2.0 * 25.0) / 4.0,
            scored: 2,
            says: "2 of 4 outputs changed since the last run",
            ..NOTHING
        },
        Change {
            name: "a broken file repaired",
            before: |world, _| fs::write(world.output(3), b"BM, and no image").unwrap(),
            change: |world, _| write_gray(&world.output(3), 135),
            mse: (3.0 * 9.0 + 25.0) / 4.0,
            scored: 1,
            ..NOTHING
        },
        Change {
            name: "a file that becomes broken",
            change: |world, _| fs::write(world.output(3), b"BM, and no image").unwrap(),
            count: 3,
            scored: 1,
            says: "1 of 4 outputs changed since the last run",
            ..NOTHING
        },
        Change {
            name: "a file that could not be read for a while",
            outputs: "list.txt",
            before: |world, _| fs::rename(world.output(0), world.path("elsewhere")).unwrap(),
            change: |world, _| fs::rename(world.path("elsewhere"), world.output(0)).unwrap(),
            scored: 1,
            ..NOTHING
        },
        Change {
            name: "another experiment under the same paths",
            change: |world, _| {
                for folder in ["a", "b"] {
                    fs::rename(world.path(folder), world.path(&format!("old-{folder}"))).unwrap();
                }
                for number in 0..COUNT {
                    write_gray(&world.original(number), 50);
                    write_gray(&world.output(number), 60 + number as u8);
                }
            },
            mse: (100.0 + 121.0 + 144.0 + 169.0) / 4.0,
            scored: 4,
            says: "4 of 4 originals changed since the last run",
            ..NOTHING
        },
        Change {
            name: "files added",
            change: |world, _| {
                write_gray(&world.original(9), 0);
                write_gray(&world.output(9), 10);
            },
            mse: (4.0 * 9.0 + 100.0) / 5.0,
            count: 5,
            scored: 1,
            says: "going on after 4 of 5",
            ..NOTHING
        },
        Change {
            name: "files removed",
            before: |world, _| write_gray(&world.output(0), 110),
            change: |world, _| {
                fs::remove_file(world.original(0)).unwrap();
                fs::remove_file(world.output(0)).unwrap();
            },
            count: 3,
            says: "its report is of 4 images, this evaluation of 3 (1 gone, 0 new)",
            ..NOTHING
        },
        Change {
            name: "files renamed and in another order",
            before: |world, _| write_gray(&world.output(0), 110),
            change: |world, _| {
                for number in 0..COUNT {
                    for path in [world.original(number), world.output(number)] {
                        fs::rename(&path, path.with_file_name(format!("{}.png.bmp", 9 - number))).unwrap();
                    }
                }
            },
            mse: (3.0 * 9.0 + 100.0) / 4.0,
            says: "(4 gone, 4 new)",
            ..NOTHING
        },
        Change {
            name: "two outputs exchanged",
            change: |world, _| {
                fs::rename(world.output(0), world.path("other")).unwrap();
                fs::rename(world.output(1), world.output(0)).unwrap();
                fs::rename(world.path("other"), world.output(1)).unwrap();
            },
            mse: (2.0 * 9.0 + 169.0 + 49.0) / 4.0,
            scored: 2,
            says: "2 of 4 outputs changed since the last run",
            ..NOTHING
        },
        Change {
            name: "another protocol",
            before: |world, _| {
                // The crop leaves out the left third, which is equal.
                let write = |path: PathBuf, right: u8| {
                    let gray = (0..16 * 48).map(|i| if i % 48 < 16 { 100 } else { right });
                    let rgb = gray.flat_map(|gray| [gray; 3]).collect();
                    write_image(&path, &Image::new(48, 16, rgb).unwrap()).unwrap();
                };
                for number in 0..COUNT {
                    write(world.original(number), 100);
                    write(world.output(number), 104);
                }
            },
            change: |_, config| config.protocol = config.protocol.with_center_crop(8),
            mse: 16.0,
            scored: 4,
            says: "this evaluation by native, changed (center crop of 8)",
            ..NOTHING
        },
        Change {
            name: "fewer originals asked for",
            before: |world, _| write_gray(&world.output(3), 130),
            change: |_, config| config.limit = Some(3),
            count: 3,
            says: "(1 gone, 0 new)",
            ..NOTHING
        },
        Change {
            name: "more scores asked for",
            change: |_, config| config.metrics = Some(vec![Metric::Mse, Metric::Ssim]),
            scored: 4,
            says: "4 of 4 lack some of the scores",
            ..NOTHING
        },
        Change {
            name: "fewer scores asked for",
            before: |_, config| config.metrics = Some(vec![Metric::Mse, Metric::Ssim]),
            change: |_, config| config.metrics = Some(vec![Metric::Mse]),
            says: "its report has SSIM, which this evaluation is not asked for",
            ..NOTHING
        },
    ];
    for change in changes {
        let world = World::new();
        let mut config = world.config(change.outputs);
        (change.before)(&world, &mut config);
        run(&config);
        (change.change)(&world, &mut config);
        let (scored, said, second) = run(&config);
        let name = change.name;
        assert_eq!(scored, change.scored, "{name}: {said}");
        assert!(said.contains(change.says), "{name}: {said}");
        assert!(
            !change.says.is_empty() || change.scored > 0 || said.is_empty(),
            "{name}: {said}"
        );
        assert_eq!(second.models[0].count, change.count, "{name}");
        assert!((mse(&second) - change.mse).abs() < 1e-9, "{name}: {}", mse(&second));
        // As in a folder of its own; and once more, nothing is left to do.
        let apart = EvaluateConfig {
            out: None,
            ..config.clone()
        };
        assert_eq!(run(&apart).2.models, second.models, "{name}");
        let (scored, _, third) = run(&config);
        assert_eq!(
            (scored, third.models),
            (second.skipped.len() as u64, second.models),
            "{name}"
        );
    }
}

#[test]
fn weights_changed_in_place_are_noticed_in_encoder_and_decoder() {
    let world = World::new();
    let device = Device::flex();
    let config = ModelConfig::of_variant("w32_d1_h2/1x8x6").unwrap();
    // Of two seeds, one for each half.
    let save = |seeds: [u64; 2]| {
        let sources = seeds.map(|seed| VitTokenizer::random(config.clone(), seed, &device).unwrap());
        let [encoder, decoder] = sources.map(|model| model.network().clone());
        let network = vitok::tokenizer::vit::Network {
            encoder: encoder.encoder,
            decoder: decoder.decoder,
        };
        let values = vitok::nn::params::values(&network);
        let model = VitTokenizer::from_values(config.clone(), &device, |path, _| {
            Ok(values[path].clone().into_data().try_to_vec::<f32>().unwrap())
        });
        let folder = world.path("model");
        model.unwrap().save(&folder, WeightsFormat::Vitok, Dtype::F32).unwrap();
    };
    let evaluate = || {
        let model = load(&world.path("model"), LoadPart::Both, &device).unwrap();
        let candidate = Candidate::tokenizer("model", model).unwrap();
        run(&EvaluateConfig {
            candidates: vec![candidate],
            ..world.config("b")
        })
    };
    let mut before = f64::NAN;
    for seeds in [[0, 0], [0, 1], [2, 1]] {
        save(seeds);
        let (scored, said, report) = evaluate();
        assert_eq!(scored, COUNT as u64, "{seeds:?}");
        assert_ne!(mse(&report), before, "{seeds:?}");
        let changed = "model: changed since the last run: the codec's weights or settings. Everything is scored again";
        assert_eq!(said.contains(changed), seeds != [0, 0], "{said}");
        before = mse(&report);
        let (scored, _, report) = evaluate();
        assert_eq!((scored, mse(&report)), (0, before), "{seeds:?}");
    }
}

/// Makes images darker by one, and counts how many.
struct Darker(Arc<AtomicUsize>);

impl Codec for Darker {
    fn name(&self) -> String {
        "darker".into()
    }

    fn reconstruct(&self, clips: &[Clip]) -> Result<Vec<Reconstruction>> {
        self.0.fetch_add(clips.len(), Ordering::SeqCst);
        let darker = |image: Image| {
            let rgb = image.rgb().iter().map(|v| v - 1).collect();
            Image::new(image.width(), image.height(), rgb)
        };
        let one = |clip: &Clip| {
            Ok(Reconstruction {
                clip: clip.clone().map(darker)?,
                values: None,
                bytes: 1,
                quality: None,
            })
        };
        clips.iter().map(one).collect()
    }

    fn tokens(&self, _: ClipShape) -> usize {
        1
    }
}

#[test]
fn a_codec_makes_no_output_again_not_even_to_show_it() {
    let world = World::new();
    let made = Arc::new(AtomicUsize::new(0));
    let config = EvaluateConfig {
        candidates: vec![Candidate::codec("darker", Box::new(Darker(made.clone())), "1")],
        ..world.config("b")
    };
    let first = run(&config).2;
    assert!(made.swap(0, Ordering::SeqCst) >= COUNT);
    let second = run(&config).2;
    assert_eq!(made.swap(0, Ordering::SeqCst), 0);
    assert_eq!(second.to_html().unwrap(), first.to_html().unwrap());
    assert_eq!(second.sheet, first.sheet);
    // One that changed is made, to be scored and to be shown.
    write_gray(&world.original(2), 77);
    let third = run(&config).2;
    assert_eq!(made.swap(0, Ordering::SeqCst), 2);
    assert_eq!(mse(&third), 1.0);
    assert_ne!(third.sheet, first.sheet);
    // Of another codec none is shown.
    let other = EvaluateConfig {
        candidates: vec![Candidate::codec("darker", Box::new(Darker(made.clone())), "2")],
        ..config
    };
    run(&other);
    assert_eq!(made.swap(0, Ordering::SeqCst), 2 * COUNT);
}

#[test]
fn another_protocol_and_back_scores_nothing_again() {
    let world = World::new();
    let whole = world.config("b");
    let cropped = EvaluateConfig {
        protocol: whole.protocol.with_center_crop(8),
        ..whole.clone()
    };
    let scored = [&whole, &cropped, &whole, &cropped].map(|config| run(config).0);
    assert_eq!(scored, [4, 4, 0, 0]);
    let again = EvaluateConfig { restart: true, ..whole };
    assert_eq!(run(&again).0, 4);
}

#[test]
fn a_table_that_loses_columns_says_so() {
    let world = World::new();
    let name = |outputs: &str| world.path(outputs).display().to_string();
    let mut config = world.config("b");
    config.candidates.push(Candidate::files(name("b.tar")));
    assert_eq!(run(&config).1, "");
    let (scored, said, report) = run(&world.config("b"));
    assert_eq!((scored, report.models.len()), (0, 1));
    let lost = format!(
        "its report has scores of {}, which this evaluation is not asked for",
        name("b.tar")
    );
    assert!(said.contains(&lost), "{said}");
    let (scored, said, report) = run(&config);
    assert_eq!((scored, report.models.len(), said.as_str()), (0, 2, ""));

    // Unpaired outputs have no scores of images, and no sheet: none of an earlier report stays.
    assert!(world.path("e/images.csv").exists() && world.path("e/sheet.png").exists());
    let without = Report {
        metrics: Vec::new(),
        sheet: None,
        ..report
    };
    without.write(&world.path("e")).unwrap();
    assert!(!world.path("e/images.csv").exists() && !world.path("e/sheet.png").exists());
}

/// Starts a second evaluation in the same folder while the first one runs.
struct Intruder<'a>(&'a EvaluateConfig, Mutex<Vec<Error>>);

impl Observer for Intruder<'_> {
    fn event(&self, event: Event) {
        if let Event::Progress { .. } = event {
            let second = evaluate(self.0, &Device::flex(), &Silent);
            self.1.lock().unwrap().extend(second.err());
        }
    }
}

#[test]
fn a_second_evaluation_in_the_same_folder_waits_for_its_turn() {
    let world = World::new();
    let config = world.config("b");
    let again = EvaluateConfig {
        restart: true,
        ..config.clone()
    };
    let intruder = Intruder(&again, Mutex::default());
    let report = evaluate(&config, &Device::flex(), &intruder).unwrap();
    assert_eq!(mse(&report), 9.0);
    let refused = intruder.1.into_inner().unwrap();
    assert!(matches!(refused[..], [Error::InUse { .. }]), "{refused:?}");
    assert_eq!(refused[0].remedies(), [Remedy::ChooseOtherOutput]);
    assert_eq!(run(&again).0, 4);
}
