//! `vitok compare`

use std::collections::HashSet;
use std::path::Path;

use anyhow::bail;
use serde::Serialize;
use vitok::baselines::{Jpeg, LinearCode, LinearFit, bicubic, bicubic_size, jpeg};
use vitok::data::Collection;
use vitok::evaluate::{PictureScores, mean_scores, score_picture};
use vitok::patches::{Extent, Grid};
use vitok::pixels::{
    Picture, ReadOptions, Size, centre_crop_guided_diffusion, picture_grid, write_picture,
};
use vitok::tokenizer::{Half, Tokenizer};

use crate::args::CompareArgs;
use crate::{batch, model, output};

/// The linear code that travels with a model.
const LINEAR: &str = "linear.safetensors";

/// Pixels reconstructed at once.
const BATCH_PIXELS: usize = 16 * 64 * 64;

#[derive(Serialize)]
struct Table {
    size: usize,
    pictures: usize,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    code: String,
    /// Numbers in the code; for JPEG, which has bytes only, none.
    values: Option<usize>,
    bytes: f64,
    psnr: f64,
    ssim: Option<f64>,
}

pub fn run(args: &CompareArgs) -> anyhow::Result<bool> {
    let tokenizer = model::load(&args.model, Half::Both)?;
    let tubelet = tokenizer.plan().tubelet;
    if tubelet.frames != 1 {
        bail!(
            "pictures have one frame; this model's tubelets have {}",
            tubelet.frames
        );
    }
    let (scored, fitted_on) = (open_all(&args.inputs)?, open_all(&args.fit)?);
    check_apart(&scored, &fitted_on)?;
    check_outputs(args)?;
    let mut bad = 0;
    let pictures = read_all(&scored, args.max_pixels, &mut bad)?;
    let fit = match fitted_on.is_empty() {
        true => None,
        false => Some(read_all(&fitted_on, args.max_pixels, &mut bad)?),
    };
    let stored = stored_linear(args, &tokenizer, fit.is_some())?;
    let mut tables = Vec::new();
    for &size in &args.size {
        let crop = |p: &Picture| centre_crop_guided_diffusion(p, size);
        let originals = pictures
            .iter()
            .map(crop)
            .collect::<vitok::Result<Vec<_>>>()?;
        let fitted = match &fit {
            None => None,
            Some(pictures) => {
                let mut fit = LinearFit::new(tubelet.patch);
                for picture in pictures {
                    fit.add(&crop(picture)?)?;
                }
                Some(fit.finish(tokenizer.plan().channels)?)
            }
        };
        if let (Some(path), Some(code), None) = (&args.save_linear, &fitted, tables.first()) {
            code.write(path)?;
        }
        let linear = fitted.as_ref().or(stored.as_ref());
        tables.push(compare(&tokenizer, linear, size, &originals, args)?);
    }
    if args.json {
        output::line(&serde_json::to_string_pretty(&tables)?)?;
    } else {
        for table in &tables {
            show(table)?;
        }
        output::line(
            "PSNR and SSIM: means of each picture's, on bytes (SSIM as torchmetrics); centre crops \
             as guided diffusion's",
        )?;
    }
    if bad > 0 {
        output::error(&format!(
            "{bad} pictures could not be read and are not in the means"
        ));
    }
    Ok(bad == 0)
}

/// The linear code named, or the one beside the model.
fn stored_linear(
    args: &CompareArgs,
    tokenizer: &Tokenizer,
    fitted: bool,
) -> anyhow::Result<Option<LinearCode>> {
    let beside = Path::new(&args.model.model).join(LINEAR);
    let path = match &args.linear {
        Some(path) => path,
        None if !fitted && beside.exists() => &beside,
        None => return Ok(None),
    };
    let code = LinearCode::read(path)?;
    let plan = tokenizer.plan();
    if (code.patch(), code.channels()) != (plan.tubelet.patch, plan.channels) {
        bail!(
            "{}: a code of {p} x {p} pixels and {} components; the model has {q} x {q} and {}",
            path.display(),
            code.channels(),
            plan.channels,
            p = code.patch(),
            q = plan.tubelet.patch,
        );
    }
    Ok(Some(code))
}

fn open_all(inputs: &[String]) -> anyhow::Result<Vec<Collection>> {
    let mut collections = Vec::new();
    for input in inputs {
        let collection = Collection::open(input)?;
        collection
            .warnings()
            .iter()
            .for_each(|w| output::warning(w));
        collections.push(collection);
    }
    Ok(collections)
}

/// A baseline fitted on what it is scored on would be flattered.
fn check_apart(scored: &[Collection], fitted_on: &[Collection]) -> anyhow::Result<()> {
    let scored: HashSet<String> = scored.iter().flat_map(Collection::identities).collect();
    let mut fitted_on = fitted_on.iter().flat_map(Collection::identities);
    match fitted_on.find(|fitted| scored.contains(fitted)) {
        Some(both) => bail!("{both} is among the scored pictures and in --fit too"),
        None => Ok(()),
    }
}

/// Nothing but an older result may be overwritten, and no result may become an input.
fn check_outputs(args: &CompareArgs) -> anyhow::Result<()> {
    if let Some(path) = &args.save_linear
        && path.exists()
        && LinearCode::read(path).is_err()
    {
        bail!(
            "{}: exists and is no linear code, so it is not overwritten; choose another --save-linear",
            path.display()
        );
    }
    let Some(out) = args.out.as_deref().map(batch::real) else {
        return Ok(());
    };
    for input in args.inputs.iter().chain(&args.fit).map(Path::new) {
        if input.is_dir() && out.starts_with(batch::real(input)) {
            bail!(
                "the sheets would lie among the pictures of {}; choose another --out",
                input.display()
            );
        }
    }
    Ok(())
}

fn read_all(
    collections: &[Collection],
    max_pixels: u64,
    bad: &mut usize,
) -> anyhow::Result<Vec<Picture>> {
    let options = ReadOptions {
        max_pixels,
        ..Default::default()
    };
    let mut pictures = Vec::new();
    for collection in collections {
        let bar = batch::progress(collection.records().len());
        bar.set_message(collection.name().to_owned());
        for index in 0..collection.records().len() {
            match collection.picture(index, &options) {
                Ok(picture) => pictures.push(picture),
                Err(error) => {
                    *bad += 1;
                    bar.suspend(|| output::error(&error.to_string()));
                }
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
    }
    if pictures.is_empty() {
        bail!("none of the pictures can be read");
    }
    Ok(pictures)
}

fn compare(
    tokenizer: &Tokenizer,
    linear: Option<&LinearCode>,
    size: usize,
    originals: &[Picture],
    args: &CompareArgs,
) -> anyhow::Result<Table> {
    let tubelet = tokenizer.plan().tubelet;
    let extent = Extent {
        frames: 1,
        height: size,
        width: size,
    };
    let values = Grid::covering(extent, tubelet).tokens() * tokenizer.plan().channels;
    let plan = tokenizer.plan();
    let bytes = 2.0 * values as f64;
    let mut codes = vec![Code {
        name: "vitok".into(),
        values: Some(values),
        bytes,
        pictures: reconstruct(tokenizer, size, originals)?,
    }];
    if let Some(linear) = linear {
        codes.push(Code {
            name: format!("PCA {p}x{p} to {}", plan.channels, p = plan.tubelet.patch),
            values: Some(values),
            bytes,
            pictures: all(originals, |p| linear.reconstruct(p))?,
        });
    }
    let small = bicubic_size(Size::new(size, size), values);
    codes.push(Code {
        name: format!("bicubic {}x{}", small.width, small.height),
        values: Some(3 * small.pixels()),
        bytes: 3.0 * small.pixels() as f64,
        pictures: all(originals, |p| bicubic(p, values))?,
    });
    codes.push(jpeg_code(originals, 2 * values)?);
    if let Some(out) = &args.out {
        write_sheet(out, size, originals, &codes)?;
    }
    let rows = codes.into_iter().map(|code| {
        let pairs = originals.iter().zip(&code.pictures);
        let scores = pairs.map(|(original, found)| score_picture(original, found));
        let scores = scores.collect::<vitok::Result<Vec<_>>>()?;
        let PictureScores { psnr, ssim } = mean_scores(&scores)?;
        Ok(Row {
            code: code.name,
            values: code.values,
            bytes: code.bytes,
            psnr,
            ssim,
        })
    });
    Ok(Table {
        size,
        pictures: originals.len(),
        rows: rows.collect::<anyhow::Result<_>>()?,
    })
}

/// What a code makes of the pictures.
struct Code {
    name: String,
    /// Numbers in the code of a picture; none for JPEG, which has bytes only.
    values: Option<usize>,
    /// Bytes of the code of a picture.
    bytes: f64,
    pictures: Vec<Picture>,
}

fn all<T>(
    originals: &[Picture],
    code: impl Fn(&Picture) -> vitok::Result<T>,
) -> vitok::Result<Vec<T>> {
    originals.iter().map(code).collect()
}

fn reconstruct(
    tokenizer: &Tokenizer,
    size: usize,
    originals: &[Picture],
) -> vitok::Result<Vec<Picture>> {
    let bar = batch::progress(originals.len());
    bar.set_message(format!("{size} x {size}"));
    let mut found = Vec::with_capacity(originals.len());
    for batch in originals.chunks((BATCH_PIXELS / size.pow(2)).max(1)) {
        found.extend(tokenizer.reconstruct(batch)?);
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    Ok(found)
}

fn jpeg_code(originals: &[Picture], most: usize) -> vitok::Result<Code> {
    let files = all(originals, |picture| jpeg(picture, most))?;
    let mean = |of: fn(&Jpeg) -> f64| files.iter().map(of).sum::<f64>() / files.len() as f64;
    let (bytes, quality) = (mean(|f| f.bytes as f64), mean(|f| f64::from(f.quality)));
    let over = match bytes > most as f64 {
        true => ", larger",
        false => "",
    };
    Ok(Code {
        name: format!("JPEG (quality {quality:.0}{over})"),
        values: None,
        bytes,
        pictures: files.into_iter().map(|file| file.picture).collect(),
    })
}

/// A sheet of pictures: a row each, the original and then every code in the table's order.
fn write_sheet(
    out: &Path,
    size: usize,
    originals: &[Picture],
    codes: &[Code],
) -> vitok::Result<()> {
    /// Rows of a sheet.
    const ROWS: usize = 16;
    let row = |(i, original): (usize, &Picture)| {
        let found = codes.iter().map(|code| code.pictures[i].clone());
        std::iter::once(original.clone()).chain(found).collect()
    };
    let rows: Vec<Vec<Picture>> = originals.iter().enumerate().take(ROWS).map(row).collect();
    let path = out.join(format!("compare-{size}.png"));
    write_picture(&path, &picture_grid(&rows)?)
}

fn show(table: &Table) -> anyhow::Result<()> {
    output::line(&format!(
        "{size} x {size}, {} pictures",
        table.pictures,
        size = table.size
    ))?;
    let rows = table.rows.iter().map(|row| {
        vec![
            row.code.clone(),
            row.values.map_or("-".into(), |n| n.to_string()),
            format!("{:.0}", row.bytes),
            format!("{:.2}", row.psnr),
            row.ssim.map_or("-".into(), |s| format!("{s:.4}")),
        ]
    });
    output::table(
        &["code", "values", "bytes", "PSNR dB", "SSIM"],
        rows.collect(),
    )?;
    output::line("")?;
    Ok(())
}
