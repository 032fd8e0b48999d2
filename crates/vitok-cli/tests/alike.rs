//! A folder, a list and a shard of the same files are one dataset to every command: the same samples, the same words about
//! the same bad entries, the same exit code.

#![allow(clippy::unwrap_used)] // a test that cannot go on should stop where it stands

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Output;

use image::{Rgb, RgbImage};
use serde_json::Value;

use run::{err, fails, out, succeeds, vitok};

mod run;

/// The names under which each command is given the data.
const FORMS: [&str; 3] = ["photos", "photos.txt", "photos.tar"];

/// Files that a reader fails on, among a hundred.
const BAD: [&str; 4] = ["7.png", "31.png", "gone.png", "self.png"];

const CONFIG: &str = r#"
[model]
variant = "w32_d1_h2/1x8x4"
[data.augment]
size = 16
[train]
steps = 30
batch_size = 8
log_every = 10
"#;

/// An image of waves, another for each number.
fn photo(number: u32) -> RgbImage {
    RgbImage::from_fn(24, 16, |x, y| {
        let wave = |i: u32| (128.0 + 100.0 * (x as f32 * 0.2 + (y * i) as f32 * 0.1 + number as f32).sin()) as u8;
        Rgb([wave(1), wave(2), wave(3)])
    })
}

/// A hundred files as a folder, a list of its lines and a shard of its entries: 94 images, an empty file, a text, a link
/// to nothing and one to itself, and two that are hidden.
#[cfg(unix)]
fn workshop() -> tempfile::TempDir {
    use std::os::unix::fs::symlink;
    let workshop = tempfile::tempdir().unwrap();
    let folder = workshop.path().join("photos");
    fs::create_dir(&folder).unwrap();
    for number in 1..=96 {
        photo(number).save(folder.join(format!("{number}.png"))).unwrap();
    }
    fs::write(folder.join("7.png"), b"").unwrap();
    fs::write(folder.join("31.png"), b"Dear reader").unwrap();
    fs::create_dir(folder.join("__MACOSX")).unwrap();
    for hidden in ["._1.png", "__MACOSX/._2.png"] {
        fs::write(folder.join(hidden), b"\0\x05\x16\x07").unwrap();
    }
    symlink("nowhere.png", folder.join("gone.png")).unwrap();
    symlink("self.png", folder.join("self.png")).unwrap();

    let numbered = (1..=96).map(|number| format!("{number}.png"));
    let others = ["gone.png", "self.png"].map(str::to_owned);
    let hidden = ["._1.png", "__MACOSX/._2.png"].map(str::to_owned);
    let names: Vec<String> = hidden.into_iter().chain(numbered).chain(others).collect();
    assert_eq!(names.len(), 100);
    let lines: Vec<String> = names.iter().map(|name| format!("photos/{name}")).collect();
    fs::write(workshop.path().join("photos.txt"), lines.join("\n")).unwrap();
    let mut tar = tar::Builder::new(fs::File::create(workshop.path().join("photos.tar")).unwrap());
    tar.follow_symlinks(false);
    for name in names {
        tar.append_path_with_name(folder.join(&name), name).unwrap();
    }
    tar.finish().unwrap();
    succeeds(&["init", "w32_d1_h2/1x8x4", "model"], workshop.path());
    workshop
}

/// What a call with each form of the data gives, as if all were called `photos`.
fn with_each(folder: &Path, call: impl Fn(&str) -> Vec<String>) -> [(Output, String); 3] {
    FORMS.map(|form| {
        let call = call(form);
        let arguments: Vec<&str> = call.iter().map(String::as_str).collect();
        let output = vitok(&arguments, folder);
        let said = err(&output)
            .replace("photos.txt", "photos")
            .replace("photos.tar", "photos");
        (output, said)
    })
}

/// That all three said and returned the same; what it was.
fn alike(results: &[(Output, String); 3], code: i32) -> String {
    for ((output, said), form) in results.iter().zip(FORMS) {
        assert_eq!(said, &results[0].1, "{form}");
        assert_eq!(output.status.code(), Some(code), "{form}: {said}");
    }
    results[0].1.clone()
}

fn words(call: &str) -> Vec<String> {
    call.split(' ').map(str::to_owned).collect()
}

const HIDDEN: &str = "warning: photos: 2 passed over because hidden: ";
const BROKEN: &str = "warning: photos: 2 of 98 files cannot be read: gone.png (a link that leads nowhere), self.png (a link \
                      that leads nowhere)";

#[cfg(unix)]
#[test]
fn encode_takes_them_alike() {
    let workshop = workshop();
    let folder = workshop.path();
    let results = with_each(folder, |form| {
        words(&format!("encode {form} -m model -o latents-{form} --json"))
    });
    let said = alike(&results, 1);
    assert!(said.contains(HIDDEN) && said.contains(BROKEN), "{said}");
    for name in BAD {
        assert!(said.contains(&format!("error: photos/{name}: ")), "{name}: {said}");
    }
    let latents = |form: &str| -> BTreeMap<String, Vec<u8>> {
        let files = fs::read_dir(folder.join(format!("latents-{form}"))).unwrap();
        let files = files.map(|file| file.unwrap().path());
        files
            .map(|path| {
                (
                    path.file_name().unwrap().to_str().unwrap().to_owned(),
                    fs::read(path).unwrap(),
                )
            })
            .collect()
    };
    let of_folder = latents("photos");
    assert_eq!(of_folder.len(), 94);
    assert!(of_folder.contains_key("96.safetensors"));
    for form in FORMS {
        assert_eq!(latents(form), of_folder, "{form}");
    }
    for (output, _) in results {
        let json: Value = serde_json::from_str(&out(&output)).unwrap();
        let files = json["files"].as_array().unwrap();
        let second = files[1]["output"].as_str().unwrap();
        assert!(second.ends_with("/2.safetensors"), "2 comes before 10: {second}");
        assert_eq!(json["failed"].as_array().unwrap().len(), 4);
    }
}

#[cfg(unix)]
#[test]
fn evaluate_takes_them_alike() {
    let workshop = workshop();
    let folder = workshop.path();
    let call = |form: &str| {
        words(&format!(
            "evaluate {form} -m model --metrics psnr --out scores-{form} --json"
        ))
    };
    let results = with_each(folder, call);
    let said = alike(&results, 1);
    assert!(said.contains(HIDDEN) && said.contains(BROKEN), "{said}");
    let reports = results
        .each_ref()
        .map(|(output, _)| serde_json::from_str::<Value>(&out(output)).unwrap());
    for (report, form) in reports.iter().zip(FORMS) {
        assert_eq!(
            report["models"][0]["scores"], reports[0]["models"][0]["scores"],
            "{form}"
        );
        let skipped = report["skipped"].as_array().unwrap();
        let mut files: Vec<&str> = skipped.iter().map(|one| one["file"].as_str().unwrap()).collect();
        files.sort();
        let mut expected = BAD.map(|name| match form {
            "photos.tar" => format!("photos.tar/{name}"),
            _ => format!("photos/{name}"),
        });
        expected.sort();
        assert_eq!(files, expected);
    }
    // Outputs of one form belong to originals of another, and the first few are the first by number.
    let three = ["photos/1.png", "photos/2.png", "photos/3.png"];
    let call: Vec<&str> = ["reconstruct", "-m", "model", "-o", "outputs"]
        .into_iter()
        .chain(three)
        .collect();
    succeeds(&call, folder);
    let call = |form: &str| {
        words(&format!(
            "evaluate {form} --outputs outputs --limit 3 --metrics psnr --out paired-{form} --json"
        ))
    };
    for (output, said) in with_each(folder, call) {
        assert_eq!(output.status.code(), Some(0), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn train_takes_them_alike() {
    let workshop = workshop();
    let folder = workshop.path();
    let train = |form: &str, max_bad: f64| {
        let config = format!("{CONFIG}[data]\ntrain = [\"{form}\"]\n[data.loader]\nmax_bad_fraction = {max_bad}\n");
        fs::write(folder.join("config.toml"), config).unwrap();
        words(&format!("train config.toml --out run-{max_bad}-{form}"))
    };
    let results = with_each(folder, |form| train(form, 0.05));
    let said = alike(&results, 0);
    assert!(said.contains(HIDDEN) && said.contains(BROKEN), "{said}");
    for name in BAD {
        assert!(said.contains(&format!("warning: photos/{name}: ")), "{name}: {said}");
    }
    let model = |form: &str| fs::read(folder.join(format!("run-0.05-{form}/model/model.safetensors"))).unwrap();
    for form in FORMS {
        assert!(
            model(form) == model("photos"),
            "{form}: the same images in the same order"
        );
    }
    // Beyond the share that is set it is refused: at once where the names tell, else when a file is met.
    for (max_bad, reason) in [
        (0.02, "2 of 98 files cannot be read"),
        (0.03, "of 98 images cannot be read"),
    ] {
        let said = alike(&with_each(folder, |form| train(form, max_bad)), 1);
        assert!(said.contains(reason) && said.contains("max_bad_fraction"), "{said}");
    }
}

/// A folder that its user may not search is named, and the rest goes on.
#[cfg(unix)]
#[test]
fn an_unreadable_folder_stops_nothing() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let workshop = tempfile::tempdir().unwrap();
    let folder = workshop.path();
    let mode = |path: &str, mode: u32| {
        fs::set_permissions(folder.join(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    fs::create_dir_all(folder.join("photos/lost+found")).unwrap();
    fs::create_dir(folder.join("out")).unwrap();
    photo(1).save(folder.join("photos/1.png")).unwrap();
    succeeds(&["init", "w32_d1_h2/1x8x4", "model"], folder);
    mode("photos/lost+found", 0o000);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_vitok"));
    command
        .args(["encode", "photos", "-m", "model", "-o", "out"])
        .current_dir(folder);
    // The superuser may search any folder; nobody may not.
    let is_superuser = fs::read_dir(folder.join("photos/lost+found")).is_ok();
    if is_superuser {
        mode("", 0o755);
        mode("out", 0o777);
        command.uid(65534);
    }
    let output = command.output().unwrap();
    mode("photos/lost+found", 0o755);
    let said = err(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("lost+found: this folder cannot be searched: Permission denied"),
        "{said}"
    );
    assert!(folder.join("out/1.safetensors").exists(), "{said}");
}

/// Keys that shards share are told apart by the shards' names; the field of a sample can be chosen.
#[test]
fn shards_are_encoded_by_their_keys() {
    let workshop = tempfile::tempdir().unwrap();
    let folder = workshop.path();
    let mut png = std::io::Cursor::new(Vec::new());
    photo(1).write_to(&mut png, image::ImageFormat::Png).unwrap();
    for (shard, names) in [
        ("s-0.tar", vec!["a.depth.png", "a.png", "b.png"]),
        ("s-1.tar", vec!["a.png", "../c.png"]),
    ] {
        let mut tar = tar::Builder::new(fs::File::create(folder.join(shard)).unwrap());
        for name in names {
            let mut header = tar::Header::new_gnu();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(png.get_ref().len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            tar.append(&header, png.get_ref().as_slice()).unwrap();
        }
        tar.finish().unwrap();
    }
    succeeds(&["init", "w32_d1_h2/1x8x4", "model"], folder);
    let written = |input: &str, out: &str| {
        succeeds(&["encode", input, "-m", "model", "-o", out], folder);
        let mut all: Vec<String> = Vec::new();
        let mut open = vec![folder.join(out)];
        while let Some(next) = open.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => open.push(path),
                    false => all.push(path.strip_prefix(folder.join(out)).unwrap().display().to_string()),
                }
            }
        }
        all.sort();
        all
    };
    let both = ["b.safetensors", "s-0/a.safetensors", "s-1/a.safetensors"];
    assert_eq!(written("s-{0..1}.tar", "both"), both);
    assert_eq!(written("s-0.tar#depth.png", "depth"), ["a.depth.safetensors"]);
    fails(
        &["encode", "s-0.tar#none.png", "-m", "model"],
        folder,
        1,
        &["s-0.tar#none.png", ".none.png"],
    );
}

/// Frames are taken in the order of their numbers, and a gap in the numbers is told.
#[test]
fn frames_are_in_the_order_of_their_numbers() {
    let workshop = tempfile::tempdir().unwrap();
    let folder = workshop.path();
    for (set, tenth) in [("clips", 10), ("outputs", 99)] {
        fs::create_dir_all(folder.join(set).join("a")).unwrap();
        for number in [1, 2, 3, 10] {
            let shown = if number == 10 { tenth } else { number };
            photo(shown)
                .save(folder.join(format!("{set}/a/frame{number}.png")))
                .unwrap();
        }
    }
    let mse = |frames: &str| {
        let out_folder = format!("scores-{frames}");
        let call = [
            "evaluate",
            "clips",
            "--outputs",
            "outputs",
            "--metrics",
            "mse",
            "--json",
            "--frames",
            frames,
        ];
        let call: Vec<&str> = call.into_iter().chain(["--out", &out_folder]).collect();
        let output = vitok(&call, folder);
        assert!(output.status.success(), "{}", err(&output));
        let json: Value = serde_json::from_str(&out(&output)).unwrap();
        (
            json["models"][0]["scores"]["mse"]["value"].as_f64().unwrap(),
            err(&output),
        )
    };
    let (first_three, said) = mse("3");
    assert_eq!(first_three, 0.0, "frame10 is not the second");
    assert!(!said.contains("jump"), "{said}");
    let (all, said) = mse("4");
    assert!(all > 0.0);
    assert!(
        said.contains("clips/a: frames are missing: their numbers jump from 3 to 10"),
        "{said}"
    );
}
