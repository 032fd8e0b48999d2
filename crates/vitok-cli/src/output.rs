//! Printing for people.

use std::io::{self, Write};
use std::path::Path;

/// Prints a line. A reader that has gone away (`vitok … | head`) is no error.
pub fn line(text: &str) -> io::Result<()> {
    match writeln!(io::stdout(), "{text}") {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Says what went wrong, on standard error. That nobody listens there must not stop the work.
pub fn error(text: &str) {
    let _ = writeln!(io::stderr(), "error: {text}");
}

/// Says what went wrong without stopping the work, on standard error.
pub fn warning(text: &str) {
    let _ = writeln!(io::stderr(), "warning: {text}");
}

/// Says what a user should know, on standard error.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr(), "note: {text}");
}

/// Serializes a path that need not be UTF-8.
pub fn path<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// Prints aligned columns: the first to the left, the others to the right.
pub fn table(headers: &[&str], rows: Vec<Vec<String>>) -> io::Result<()> {
    let headers: Vec<String> = headers.iter().map(|h| h.to_string()).collect();
    let all = || std::iter::once(&headers).chain(&rows);
    let widths: Vec<usize> = (0..headers.len())
        .map(|i| all().map(|r| r[i].chars().count()).max().unwrap_or(0))
        .collect();
    for row in all() {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(|(i, (cell, &width))| match i {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        line(cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// A count with a decimal unit: 129.0 M.
pub fn count(n: u64) -> String {
    let n = n as f64;
    match n {
        n if n >= 1e9 => format!("{:.2} G", n / 1e9),
        n if n >= 1e6 => format!("{:.1} M", n / 1e6),
        n if n >= 1e4 => format!("{:.1} k", n / 1e3),
        n => format!("{n}"),
    }
}
