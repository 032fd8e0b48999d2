//! `vitok compare`

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use vitok::baselines::{LinearCode, LinearFit, bicubic, bicubic_size, jpeg};
use vitok::data::Collection;
use vitok::evaluate::{PictureScores, mean_scores, score_picture};
use vitok::patches::{Extent, Grid};
use vitok::pixels::{
    Picture, ReadOptions, Size, centre_crop_guided_diffusion, picture_grid, write_picture,
};
use vitok::tokenizer::{Half, Tokenizer};

use crate::args::CompareArgs;
use crate::{model, output};

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
    let all = |collections: &[Collection]| -> HashSet<String> {
        let of = |c: &Collection| {
            (0..c.records().len())
                .filter_map(|i| c.identity(i))
                .collect()
        };
        collections
            .iter()
            .flat_map(|c| -> Vec<String> { of(c) })
            .collect()
    };
    match all(scored).intersection(&all(fitted_on)).next() {
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
    let Some(out) = args
        .out
        .as_ref()
        .and_then(|out| std::path::absolute(out).ok())
    else {
        return Ok(());
    };
    let out = out.canonicalize().unwrap_or(out);
    for input in args.inputs.iter().chain(&args.fit).map(Path::new) {
        if input.is_dir()
            && input
                .canonicalize()
                .is_ok_and(|input| out.starts_with(input))
        {
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
        let bar = bar(collection.records().len(), collection.name());
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

fn bar(length: usize, message: &str) -> ProgressBar {
    let bar = ProgressBar::new(length as u64).with_message(message.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{pos}/{len} [{bar:30}] {eta} left  {wide_msg}")
    {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
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
    let bar = bar(originals.len(), &format!("{size} x {size}"));
    let mut found = Vec::with_capacity(originals.len());
    for batch in originals.chunks((BATCH_PIXELS / size.pow(2)).max(1)) {
        found.extend(tokenizer.reconstruct(batch)?);
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    let small = bicubic_size(Size::new(size, size), values);
    let plan = tokenizer.plan();
    let mut codes = vec![("vitok".to_owned(), Some(values), 2.0 * values as f64, found)];
    if let Some(linear) = linear {
        let found = originals.iter().map(|p| linear.reconstruct(p));
        let name = format!("PCA {p}x{p} to {}", plan.channels, p = tubelet.patch);
        let found = found.collect::<vitok::Result<_>>()?;
        codes.push((name, Some(values), 2.0 * values as f64, found));
    }
    let found = originals.iter().map(|p| bicubic(p, values));
    codes.push((
        format!("bicubic {}x{}", small.width, small.height),
        Some(3 * small.pixels()),
        3.0 * small.pixels() as f64,
        found.collect::<vitok::Result<_>>()?,
    ));
    let files = originals.iter().map(|p| jpeg(p, 2 * values));
    let files = files.collect::<vitok::Result<Vec<_>>>()?;
    let bytes = files.iter().map(|f| f.bytes as f64).sum::<f64>() / files.len() as f64;
    let quality = files.iter().map(|f| f64::from(f.quality)).sum::<f64>() / files.len() as f64;
    let found = files.into_iter().map(|file| file.picture).collect();
    let over = match bytes > 2.0 * values as f64 {
        true => ", larger",
        false => "",
    };
    let name = format!("JPEG (quality {quality:.0}{over})");
    codes.push((name, None, bytes, found));

    if let Some(out) = &args.out {
        write_sheets(out, size, originals, &codes)?;
    }
    let rows = codes.into_iter().map(|(code, values, bytes, found)| {
        let scores = originals
            .iter()
            .zip(&found)
            .map(|(a, b)| score_picture(a, b));
        let PictureScores { psnr, ssim } =
            mean_scores(&scores.collect::<vitok::Result<Vec<_>>>()?)?;
        Ok(Row {
            code,
            values,
            bytes,
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

type Code = (String, Option<usize>, f64, Vec<Picture>);

/// Sheets of pictures: a row each, the original and then every code in the table's order.
fn write_sheets(
    out: &Path,
    size: usize,
    originals: &[Picture],
    codes: &[Code],
) -> anyhow::Result<PathBuf> {
    /// Rows of a sheet.
    const ROWS: usize = 16;
    let rows = originals
        .iter()
        .enumerate()
        .take(ROWS)
        .map(|(i, original)| {
            let found = codes.iter().map(|code| code.3[i].clone());
            std::iter::once(original.clone()).chain(found).collect()
        });
    let path = out.join(format!("compare-{size}.png"));
    write_picture(&path, &picture_grid(&rows.collect::<Vec<_>>())?)
        .with_context(|| "cannot write the sheet")?;
    Ok(path)
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
