//! What commands over many files print.

use serde::Serialize;
use vitok::pipeline::FileResults;

use super::Outcome;
use crate::terminal;

/// Prints results as a table or as JSON, and their summary.
pub fn report<R: Serialize>(
    results: &FileResults<R>,
    json: bool,
    headers: &[&str],
    cells: impl Fn(&R) -> Vec<String>,
) -> anyhow::Result<Outcome> {
    let (done, failed) = (results.done.len(), results.failed.len());
    if json {
        terminal::line(&serde_json::to_string_pretty(results)?)?;
    } else {
        if done > 0 {
            terminal::table(headers, results.done.iter().map(cells).collect())?;
        }
        if done + failed > 1 {
            terminal::line(&format!("{done} done, {failed} failed"))?;
        }
    }
    Ok(match (results.cancelled, failed) {
        (true, _) => Outcome::Stopped,
        (false, 0) => Outcome::Done,
        (false, _) => Outcome::Failures,
    })
}

/// Seconds as whole milliseconds.
pub fn milliseconds(seconds: f64) -> String {
    format!("{:.0}", seconds * 1e3)
}
