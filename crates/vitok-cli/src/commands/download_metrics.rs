//! `vitok download metrics`: the weight files that scores are made with.

use std::path::PathBuf;

use serde::Serialize;
use vitok::files::sha256_of_file;
use vitok::observe::{Observer, Silent};
use vitok::weights::pretrained::{Fetcher, PretrainedWeights, WeightsSource, adopt, pretrained_weights};

use super::Outcome;
use crate::args::MetricsDownloadArgs;
use crate::terminal::{self, Terminal};

#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Fetched,
    Copied,
    ThereAlready,
    Failed,
    NeedsYourFile,
}

/// One weight file, after all that was asked for has been done.
#[derive(Serialize)]
struct Row {
    name: &'static str,
    network: &'static str,
    purpose: &'static str,
    state: State,
    path: Option<PathBuf>,
    sha256: Option<String>,
    /// Whether it is the published file, as far as its hash is known.
    published: Option<bool>,
    /// The package, or the address.
    origin: &'static str,
    license: &'static str,
}

pub fn run(args: &MetricsDownloadArgs, json: bool) -> anyhow::Result<Outcome> {
    let mut fetcher = Fetcher::from_env()?;
    fetcher.archives.clone_from(&args.archives);
    // A slip in a name should stop the work before it begins.
    args.weights
        .iter()
        .try_for_each(|(name, _)| PretrainedWeights::by_name(name).map(drop))?;
    let terminal = Terminal::new();
    let observer: &dyn Observer = if json { &Silent } else { &terminal };
    let rows = pretrained_weights().iter().map(|weights| {
        let state = obtain(weights, &fetcher, args, observer);
        Row::new(weights, state, &fetcher)
    });
    let rows = rows.collect::<vitok::Result<Vec<_>>>()?;
    match json {
        true => terminal::line(&serde_json::to_string_pretty(&rows)?)?,
        false => print(&rows, &fetcher)?,
    }
    Ok(match rows.iter().any(|row| row.state == State::Failed) {
        true => Outcome::Failures,
        false => Outcome::Done,
    })
}

/// Copies or fetches one file, as far as that was asked for. What goes wrong is said at once.
fn obtain(
    weights: &PretrainedWeights,
    fetcher: &Fetcher,
    args: &MetricsDownloadArgs,
    observer: &dyn Observer,
) -> State {
    let failed = |error: vitok::Error| {
        terminal::error(&terminal::describe(&error.into()));
        State::Failed
    };
    // The last one counts, as with other options.
    if let Some((name, file)) = args.weights.iter().rfind(|(name, _)| name == weights.name) {
        return match adopt(name, file, &fetcher.folder) {
            Ok(adopted) => {
                adopted.warning.iter().for_each(|warning| terminal::warning(warning));
                State::Copied
            }
            Err(error) => failed(error),
        };
    }
    if weights.path(&fetcher.folder).is_file() {
        return State::ThereAlready;
    }
    if matches!(weights.source, WeightsSource::Hosted(_)) && !args.all {
        return State::NeedsYourFile;
    }
    match fetcher.fetch(weights, observer) {
        Ok(_) => State::Fetched,
        Err(error) => failed(error),
    }
}

impl Row {
    fn new(weights: &'static PretrainedWeights, state: State, fetcher: &Fetcher) -> vitok::Result<Self> {
        let path = Some(weights.path(&fetcher.folder)).filter(|p| p.is_file());
        let sha256 = path.as_deref().map(sha256_of_file).transpose()?;
        Ok(Self {
            name: weights.name,
            network: weights.network,
            purpose: weights.purpose,
            state,
            published: sha256.as_ref().map(|hash| hash.starts_with(weights.source.sha256())),
            path,
            sha256,
            origin: weights.source.origin(),
            license: weights.license,
        })
    }

    fn state(&self) -> String {
        let state = match self.state {
            State::Fetched => "fetched",
            State::Copied => "copied",
            State::ThereAlready => "there already",
            State::Failed => "failed",
            State::NeedsYourFile => "needs your file",
        };
        match self.published {
            Some(false) => format!("{state} (not the published file)"),
            _ => state.into(),
        }
    }
}

fn print(rows: &[Row], fetcher: &Fetcher) -> anyhow::Result<()> {
    let lines = rows.iter().zip(pretrained_weights()).map(|(row, weights)| {
        vec![
            row.name.to_owned(),
            row.state(),
            row.purpose.to_owned(),
            match &weights.source {
                WeightsSource::Packaged(packaged) => packaged.package.to_owned(),
                WeightsSource::Hosted(hosted) => hosted.published_name().to_owned(),
            },
            row.license.to_owned(),
        ]
    });
    terminal::text_table(&["name", "state", "for", "from", "license"], lines.collect())?;
    terminal::line(&format!("\nThe files are in {}.", fetcher.folder.display()))?;
    for (row, weights) in rows.iter().zip(pretrained_weights()) {
        if row.state == State::NeedsYourFile {
            terminal::line(&format!("{}: {}", row.name, terminal::words_of(&weights.remedies())))?;
        }
    }
    Ok(())
}
