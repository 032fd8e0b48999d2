//! The three states of a score (a number, infinite, missing for a reason) and the two means of PSNR, wherever an evaluation
//! shows them.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use vitok::evaluate::{Candidate, EvaluateConfig, Metric, Report, evaluate};
use vitok::media::{Image, write_image};
use vitok::observe::Silent;
use vitok::{Device, Result};

/// An image of one gray.
fn write_gray(path: &Path, [width, height]: [usize; 2], gray: u8) {
    let image = Image::new(width, height, vec![gray; 3 * width * height]).unwrap();
    write_image(path, &image).unwrap();
}

/// Originals of gray 100 in `a` and outputs in `b`, of these sizes and brighter by so much; none where it is no number.
fn folders(images: &[([usize; 2], Option<u8>)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (number, &(size, brighter)) in images.iter().enumerate() {
        write_gray(&folder.path().join(format!("a/{number}.png")), size, 100);
        if let Some(brighter) = brighter {
            write_gray(&folder.path().join(format!("b/{number}.png")), size, 100 + brighter);
        }
    }
    folder
}

fn run(folder: &Path, metrics: &[Metric], resamples: usize) -> Result<Report> {
    let text = |name: &str| folder.join(name).display().to_string();
    let config = EvaluateConfig {
        metrics: Some(metrics.to_vec()),
        resamples,
        ..EvaluateConfig::new(vec![text("a")], vec![Candidate::files(text("b"))])
    };
    evaluate(&config, &Device::flex(), &Silent)
}

/// The PSNR of a mean squared error of bytes.
fn psnr(mse: f64) -> f64 {
    10.0 * (255.0 * 255.0 / mse).log10()
}

#[test]
fn psnr_is_given_as_the_mean_over_images_and_pooled_over_all_pixels() {
    let folder = folders(&[([16, 16], Some(3)), ([32, 16], Some(10)), ([16, 16], Some(1))]);
    let report = run(folder.path(), &[Metric::Psnr], 200).unwrap();
    let score = |key: &str| report.models[0].scores[key].clone();
    let mean = (psnr(9.0) + psnr(100.0) + psnr(1.0)) / 3.0;
    // Each pixel counts alike: the second image has as many as the two others together.
    let pooled = psnr((9.0 + 2.0 * 100.0 + 1.0) / 4.0);
    for (key, expected) in [("psnr", mean), ("psnr-pooled", pooled)] {
        let score = score(key);
        assert!((score.value.unwrap() - expected).abs() < 1e-9, "{key}: {score:?}");
        assert!(
            score.low.unwrap() < expected && expected < score.high.unwrap(),
            "{key}: {score:?}"
        );
    }
    let names: Vec<&str> = report.metrics.iter().map(|metric| metric.name.as_str()).collect();
    assert_eq!(names, ["PSNR (mean)", "PSNR (pooled)"]);
    assert!(report.metrics[0].about.contains("papers on image tokenizers"));
    assert!(report.metrics[1].about.contains("torchmetrics"));
    let table = report.table();
    assert_eq!(table.rows[1][0], "PSNR (pooled) dB ↑");
}

#[test]
fn outputs_that_equal_their_originals_are_counted_and_the_others_have_a_mean() {
    let folder = folders(&[
        ([16, 16], Some(0)),
        ([16, 16], Some(3)),
        ([16, 16], Some(10)),
        ([16, 16], Some(0)),
    ]);
    let report = run(folder.path(), &[Metric::Psnr, Metric::Mse], 50).unwrap();
    let score = &report.models[0].scores["psnr"];
    assert_eq!(score.value, Some(f64::INFINITY));
    let copies = score.copies.clone().unwrap();
    assert_eq!((copies.count, copies.others), (2, 2));
    assert!(
        (copies.mean.unwrap() - (psnr(9.0) + psnr(100.0)) / 2.0).abs() < 1e-9,
        "{copies:?}"
    );
    assert!(copies.low.unwrap() < copies.high.unwrap());
    let pooled = report.models[0].scores["psnr-pooled"].value.unwrap();
    assert!((pooled - psnr(109.0 / 4.0)).abs() < 1e-9, "{pooled}");
    assert_eq!(report.table().rows[0][1], "inf (2 equal, others 33.36)");
    let footnotes = report.footnotes().join("\n");
    assert!(
        footnotes.contains("2 of 4 outputs equal their originals; the mean of the others is 33.36"),
        "{footnotes}"
    );

    let all_equal = folders(&[([16, 16], Some(0))]);
    let report = run(all_equal.path(), &[Metric::Psnr], 50).unwrap();
    assert_eq!(report.table().rows[0][1], "inf");
    assert!(report.footnotes()[0].contains("all outputs equal their originals"));
}

#[test]
fn every_score_is_a_number_infinite_or_missing_for_a_reason() {
    let folder = folders(&[
        ([176, 176], Some(3)),
        ([16, 16], Some(0)),
        ([16, 16], None),
        ([16, 16], Some(2)),
    ]);
    fs::write(folder.path().join("b/3.png"), b"no image").unwrap();
    let report = run(folder.path(), &[Metric::Psnr, Metric::MsSsim], 0).unwrap();
    let model = &report.models[0];
    assert_eq!(
        model.per_image["psnr"],
        [Some(psnr(9.0)), Some(f64::INFINITY), None, None]
    );
    assert_eq!(
        model.per_image["ms-ssim"]
            .iter()
            .filter(|score| score.is_some())
            .count(),
        1
    );
    assert_eq!(
        model.scores["psnr"].copies.as_ref().unwrap().count,
        1,
        "what is skipped equals nothing"
    );

    // JSON: a number, the text "Infinity", or null with the reason beside it.
    let json: Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
    let scores = json["models"][0]["per_image"]["psnr"].as_array().unwrap();
    assert!(
        scores[0].is_number() && scores[1] == "Infinity" && scores[2].is_null(),
        "{scores:?}"
    );
    assert_eq!(json["models"][0]["scores"]["psnr"]["value"], "Infinity");
    let missing = json["models"][0]["missing"].as_array().unwrap();
    let reason = |image: u64, metric: &str| {
        let lacks = |one: &&Value| {
            let has = |key: &str, wanted: Value| one[key].as_array().unwrap().contains(&wanted);
            has("images", image.into()) && has("metrics", metric.into())
        };
        let reasons: Vec<&Value> = missing.iter().filter(lacks).map(|one| &one["reason"]).collect();
        assert_eq!(reasons.len(), 1, "{image} {metric}: {missing:?}");
        reasons[0].as_str().unwrap()
    };
    assert_eq!(reason(1, "ms-ssim"), "a side is under 176 pixels");
    assert_eq!(reason(2, "psnr"), "it has no output");
    assert_eq!(reason(2, "ms-ssim"), "it has no output");
    assert!(reason(3, "psnr").contains("not a supported image"));

    // The page draws from the same data, and the table of images says the same.
    let page = report.to_html().unwrap();
    assert!(page.contains("\"Infinity\"") && page.contains("it has no output"));
    let out = folder.path().join("e");
    report.write(&out).unwrap();
    let csv = fs::read_to_string(out.join("images.csv")).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].ends_with("b missing"), "{csv}");
    assert_eq!(lines[2], "1.png,inf,,ms-ssim: a side is under 176 pixels");
    assert_eq!(lines[3], "2.png,,,it has no output");

    // In the terminal: what a mean is of, and why there is none.
    let footnotes = report.footnotes().join("\n");
    assert!(
        footnotes.contains("MS-SSIM: of 1 of 2 images; of the others a side is under 176 pixels"),
        "{footnotes}"
    );
    fs::remove_file(folder.path().join("a/0.png")).unwrap();
    let report = run(folder.path(), &[Metric::Psnr, Metric::MsSsim], 0).unwrap();
    assert_eq!(report.models[0].scores["ms-ssim"].value, None);
    assert_eq!(report.table().rows[2][1], "-");
    let footnotes = report.footnotes().join("\n");
    assert!(
        footnotes.contains("MS-SSIM: none, of every image a side is under 176 pixels"),
        "{footnotes}"
    );
}

#[test]
fn the_network_of_sets_is_named_only_where_sets_are_compared() {
    let folder = folders(&[([16, 16], Some(3))]);
    let report = run(folder.path(), &[Metric::Psnr], 0).unwrap();
    let footnotes = report.footnotes().join("\n");
    assert!(!footnotes.contains("Sets are compared"), "{footnotes}");
    assert!(!footnotes.contains("95 %"), "{footnotes}");
}
