//! `vitok info`

use std::path::Path;

use vitok::media::ClipShape;
use vitok::tokenizer::vit::{Counts, config_of_files};

use super::{Outcome, model};
use crate::args::InfoArgs;
use crate::terminal;

pub fn run(args: &InfoArgs) -> anyhow::Result<Outcome> {
    let name = args.model.as_str();
    let path = Path::new(name);
    let is_spec = path.extension().is_some_and(|e| e == "toml");
    let name = name.strip_prefix("random:").unwrap_or(name);
    let config = match vitok::weights::hub::find(name) {
        _ if path.exists() && !is_spec => config_of_files(path)?,
        Some(release) => model::config_of(release.variant)?,
        None if is_spec => model::config_of(name)?,
        // A variant's name may look like a repository's.
        None => model::config_of(name).or_else(|error| match model::locate(name) {
            Ok(folder) => Ok(config_of_files(&folder)?),
            Err(_) if model::looks_like_variant(name) => Err(error.into()),
            Err(not_found) => Err(not_found),
        })?,
    };
    let (width, height) = args.size;
    let counts = Counts::new(
        &config,
        ClipShape {
            frames: usize::from(args.frames),
            height,
            width,
        },
    );
    if args.json {
        let all = serde_json::json!({ "config": config, "counts": counts });
        terminal::line(&serde_json::to_string_pretty(&all)?)?;
        return Ok(Outcome::Done);
    }
    let (params, macs) = (
        counts.encoder_params + counts.decoder_params,
        counts.encoder_macs + counts.decoder_macs,
    );
    let grid = counts.grid;
    let giga = |n: u64| format!("{:.1}", n as f64 / 1e9);
    let stack = |s: &vitok::nn::StackConfig| format!("{} x {} ({} heads, MLP {})", s.width, s.depth, s.heads, s.hidden);
    terminal::line(&config.variant)?;
    terminal::table(
        &["", "width x blocks", "parameters", "GFLOPs"],
        vec![
            vec![
                "encoder".into(),
                stack(&config.encoder),
                terminal::count(counts.encoder_params),
                giga(counts.encoder_macs),
            ],
            vec![
                "decoder".into(),
                stack(&config.decoder),
                terminal::count(counts.decoder_params),
                giga(counts.decoder_macs),
            ],
            vec!["both".into(), String::new(), terminal::count(params), giga(macs)],
        ],
    )?;
    let kinds = serde_json::json!([config.block, config.bottleneck, config.rope, config.attention]);
    let kinds = kinds.as_array().into_iter().flatten().map(|kind| match kind {
        serde_json::Value::String(name) => name.clone(),
        other => other.to_string(),
    });
    let kinds: Vec<String> = kinds.collect();
    let e = counts.latent_values;
    for text in [
        String::new(),
        format!(
            "block {}, bottleneck {}, RoPE {}, attention {}",
            kinds[0], kinds[1], kinds[2], kinds[3]
        ),
        format!(
            "tubelet     {} x {p} x {p} pixels, {} channels",
            config.tubelet.frames,
            config.channels,
            p = config.tubelet.patch
        ),
        format!("clip        {} x {height} x {width} pixels", args.frames),
        format!(
            "tokens L    {} ({} x {} x {})",
            counts.tokens, grid.frames, grid.rows, grid.cols
        ),
        format!("values E    {e}"),
        format!(
            "compression {:.1} x in values; {} bytes of RGB to {} bytes of f16 latents",
            counts.compression,
            counts.shape.values(),
            2 * e
        ),
        "one multiply-add is one FLOP, as in the paper's table 1".into(),
    ] {
        terminal::line(&text)?;
    }
    Ok(Outcome::Done)
}
