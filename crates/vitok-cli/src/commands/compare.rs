//! `vitok compare`

use std::collections::HashSet;
use std::path::Path;

use anyhow::bail;
use serde::Serialize;
use vitok::tokenizer::baselines::{Jpeg, Pca, PcaFit, bicubic, bicubic_size, jpeg};
use vitok::data::Dataset;
use vitok::metrics::{ImageScores, mean_scores, score_image};
use vitok::patches::{ClipShape, TokenGrid};
use vitok::media::{Image, ReadOptions, Size, center_crop_guided_diffusion, make_grid, write_image};
use vitok::tokenizer::vit::{LoadPart, Tokenizer};

use crate::args::CompareArgs;
use crate::{batch, model, output};

/// The linear code that travels with a model.
const LINEAR: &str = "linear.safetensors";

/// Pixels reconstructed at once.
const BATCH_PIXELS: usize = 16 * 64 * 64;

#[derive(Serialize)]
struct Table {
    size: usize,
    images: usize,
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
    let tokenizer = model::load(&args.model, LoadPart::Both)?;
    let tubelet = tokenizer.plan().tubelet;
    if tubelet.frames != 1 {
        bail!(
            "images have one frame; this model's tubelets have {}",
            tubelet.frames
        );
    }
    let (scored, fitted_on) = (open_all(&args.inputs)?, open_all(&args.fit)?);
    check_apart(&scored, &fitted_on)?;
    check_outputs(args)?;
    let mut bad = 0;
    let images = read_all(&scored, args.max_pixels, &mut bad)?;
    let fit = match fitted_on.is_empty() {
        true => None,
        false => Some(read_all(&fitted_on, args.max_pixels, &mut bad)?),
    };
    let stored = stored_linear(args, &tokenizer, fit.is_some())?;
    let mut tables = Vec::new();
    for &size in &args.size {
        let crop = |p: &Image| center_crop_guided_diffusion(p, size);
        let originals = images
            .iter()
            .map(crop)
            .collect::<vitok::Result<Vec<_>>>()?;
        let fitted = match &fit {
            None => None,
            Some(images) => {
                let mut fit = PcaFit::new(tubelet.patch);
                for image in images {
                    fit.add(&crop(image)?)?;
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
            "PSNR and SSIM: means of each image's, on bytes (SSIM as torchmetrics); center crops \
             as guided diffusion's",
        )?;
    }
    if bad > 0 {
        output::error(&format!(
            "{bad} images could not be read and are not in the means"
        ));
    }
    Ok(bad == 0)
}

/// The linear code named, or the one beside the model.
fn stored_linear(
    args: &CompareArgs,
    tokenizer: &Tokenizer,
    fitted: bool,
) -> anyhow::Result<Option<Pca>> {
    let beside = Path::new(&args.model.model).join(LINEAR);
    let path = match &args.linear {
        Some(path) => path,
        None if !fitted && beside.exists() => &beside,
        None => return Ok(None),
    };
    let code = Pca::read(path)?;
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

fn open_all(inputs: &[String]) -> anyhow::Result<Vec<Dataset>> {
    let mut collections = Vec::new();
    for input in inputs {
        let collection = Dataset::open(input)?;
        collection
            .warnings()
            .iter()
            .for_each(|w| output::warning(w));
        collections.push(collection);
    }
    Ok(collections)
}

/// A baseline fitted on what it is scored on would be flattered.
fn check_apart(scored: &[Dataset], fitted_on: &[Dataset]) -> anyhow::Result<()> {
    let scored: HashSet<String> = scored.iter().flat_map(Dataset::identities).collect();
    let mut fitted_on = fitted_on.iter().flat_map(Dataset::identities);
    match fitted_on.find(|fitted| scored.contains(fitted)) {
        Some(both) => bail!("{both} is among the scored images and in --fit too"),
        None => Ok(()),
    }
}

/// Nothing but an older result may be overwritten, and no result may become an input.
fn check_outputs(args: &CompareArgs) -> anyhow::Result<()> {
    if let Some(path) = &args.save_linear
        && path.exists()
        && Pca::read(path).is_err()
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
                "the sheets would lie among the images of {}; choose another --out",
                input.display()
            );
        }
    }
    Ok(())
}

fn read_all(
    collections: &[Dataset],
    max_pixels: u64,
    bad: &mut usize,
) -> anyhow::Result<Vec<Image>> {
    let options = ReadOptions {
        max_pixels,
        ..Default::default()
    };
    let mut images = Vec::new();
    for collection in collections {
        let bar = batch::progress(collection.records().len());
        bar.set_message(collection.name().to_owned());
        for index in 0..collection.records().len() {
            match collection.image(index, &options) {
                Ok(image) => images.push(image),
                Err(error) => {
                    *bad += 1;
                    bar.suspend(|| output::error(&error.to_string()));
                }
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
    }
    if images.is_empty() {
        bail!("none of the images can be read");
    }
    Ok(images)
}

fn compare(
    tokenizer: &Tokenizer,
    linear: Option<&Pca>,
    size: usize,
    originals: &[Image],
    args: &CompareArgs,
) -> anyhow::Result<Table> {
    let tubelet = tokenizer.plan().tubelet;
    let extent = ClipShape {
        frames: 1,
        height: size,
        width: size,
    };
    let values = TokenGrid::covering(extent, tubelet).tokens() * tokenizer.plan().channels;
    let plan = tokenizer.plan();
    let bytes = 2.0 * values as f64;
    let mut codes = vec![Code {
        name: "vitok".into(),
        values: Some(values),
        bytes,
        images: reconstruct(tokenizer, size, originals)?,
    }];
    if let Some(linear) = linear {
        codes.push(Code {
            name: format!("PCA {p}x{p} to {}", plan.channels, p = plan.tubelet.patch),
            values: Some(values),
            bytes,
            images: all(originals, |p| linear.reconstruct(p))?,
        });
    }
    let small = bicubic_size(Size::new(size, size), values);
    codes.push(Code {
        name: format!("bicubic {}x{}", small.width, small.height),
        values: Some(3 * small.pixels()),
        bytes: 3.0 * small.pixels() as f64,
        images: all(originals, |p| bicubic(p, values))?,
    });
    codes.push(jpeg_code(originals, 2 * values)?);
    if let Some(out) = &args.out {
        write_sheet(out, size, originals, &codes)?;
    }
    let rows = codes.into_iter().map(|code| {
        let pairs = originals.iter().zip(&code.images);
        let scores = pairs.map(|(original, found)| score_image(original, found));
        let scores = scores.collect::<vitok::Result<Vec<_>>>()?;
        let ImageScores { psnr, ssim } = mean_scores(&scores)?;
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
        images: originals.len(),
        rows: rows.collect::<anyhow::Result<_>>()?,
    })
}

/// What a code makes of the images.
struct Code {
    name: String,
    /// Numbers in the code of an image; none for JPEG, which has bytes only.
    values: Option<usize>,
    /// Bytes of the code of an image.
    bytes: f64,
    images: Vec<Image>,
}

fn all<T>(
    originals: &[Image],
    code: impl Fn(&Image) -> vitok::Result<T>,
) -> vitok::Result<Vec<T>> {
    originals.iter().map(code).collect()
}

fn reconstruct(
    tokenizer: &Tokenizer,
    size: usize,
    originals: &[Image],
) -> vitok::Result<Vec<Image>> {
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

fn jpeg_code(originals: &[Image], most: usize) -> vitok::Result<Code> {
    let files = all(originals, |image| jpeg(image, most))?;
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
        images: files.into_iter().map(|file| file.image).collect(),
    })
}

/// A sheet of images: a row each, the original and then every code in the table's order.
fn write_sheet(
    out: &Path,
    size: usize,
    originals: &[Image],
    codes: &[Code],
) -> vitok::Result<()> {
    /// Rows of a sheet.
    const ROWS: usize = 16;
    let row = |(i, original): (usize, &Image)| {
        let found = codes.iter().map(|code| code.images[i].clone());
        std::iter::once(original.clone()).chain(found).collect()
    };
    let rows: Vec<Vec<Image>> = originals.iter().enumerate().take(ROWS).map(row).collect();
    let path = out.join(format!("compare-{size}.png"));
    write_image(&path, &make_grid(&rows)?)
}

fn show(table: &Table) -> anyhow::Result<()> {
    output::line(&format!(
        "{size} x {size}, {} images",
        table.images,
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
