//! `vitok download`

use anyhow::bail;
use vitok::observe::Silent;
use vitok::weights::hub;

use super::{Outcome, download_metrics};
use crate::args::DownloadArgs;
use crate::terminal::{self, Terminal};

/// Stands in a model's place for the weight files of metrics. No model is called so: one that is not
/// released has an owner's name before its own.
const METRICS: &str = "metrics";

pub fn run(args: &DownloadArgs) -> anyhow::Result<Outcome> {
    let Some(name) = args.name.as_deref().filter(|_| !args.list) else {
        let rows = hub::RELEASES
            .iter()
            .map(|r| vec![r.name.to_string(), r.variant.to_string(), r.repository.to_string()]);
        let rows: Vec<Vec<String>> = rows.collect();
        if args.json {
            terminal::line(&serde_json::to_string_pretty(&rows)?)?;
        } else {
            terminal::text_table(&["name", "variant", "repository"], rows)?;
        }
        return Ok(Outcome::Done);
    };
    if name == METRICS {
        if args.revision.is_some() {
            bail!("--revision is for models; the weight files of metrics have none");
        }
        return download_metrics::run(&args.metrics, args.json);
    }
    let only_metrics = &args.metrics;
    if only_metrics.all || only_metrics.archives.is_some() || !only_metrics.weights.is_empty() {
        bail!("--weights, --all and --archives are for `vitok download {METRICS}`, not for a model");
    }
    let folder = match args.json {
        true => hub::download(name, args.revision.as_deref(), &Silent)?,
        false => hub::download(name, args.revision.as_deref(), &Terminal::new())?,
    };
    if args.json {
        let found = serde_json::json!({ "name": name, "folder": folder });
        terminal::line(&serde_json::to_string_pretty(&found)?)?;
    } else {
        terminal::line(&format!("{name} is in {}", folder.display()))?;
    }
    Ok(Outcome::Done)
}
