//! Reading TOML files, with values overridden from elsewhere and unknown keys met with the nearest
//! known one.

use std::path::Path;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::{Error, Result};

/// How alike an unknown key and a known one must be to be suggested (Jaro-Winkler, 0 to 1).
const ALIKE: f64 = 0.7;

/// Reads a TOML file into `T`, after setting what `overrides` say: `section.key=value`, the value
/// as in TOML; what is no TOML value is taken as text.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::Config`] for syntax, unknown keys (with the
/// nearest known one) and wrong values; also for an override without `=`.
pub fn read_toml<T: DeserializeOwned>(path: &Path, overrides: &[String]) -> Result<T> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, "read", e))?;
    let failed = |e: toml::de::Error, origin: &str| Error::Config {
        origin: path.display().to_string(),
        reason: format!("{origin}{}{}", e.to_string().trim_end(), hint(e.message())),
    };
    if overrides.is_empty() {
        return toml::from_str(&text).map_err(|e| failed(e, ""));
    }
    let mut table: Table = text.parse().map_err(|e| failed(e, ""))?;
    for each in overrides {
        set(&mut table, each)?;
    }
    // Without a text there are no line numbers; if the file is at fault by itself, show them.
    T::deserialize(Value::Table(table)).map_err(|e| match toml::from_str::<T>(&text) {
        Err(own) if own.message() == e.message() => failed(own, ""),
        _ => failed(e, &format!("with {}: ", overrides.join(", "))),
    })
}

fn set(table: &mut Table, text: &str) -> Result<()> {
    let wrong = |reason: &str| {
        Err(Error::Config {
            origin: text.to_owned(),
            reason: reason.to_owned(),
        })
    };
    let Some((key, value)) = text.split_once('=') else {
        return wrong("expected KEY=VALUE, such as train.lr=3e-4");
    };
    let value = value.trim();
    let value = match format!("x = {value}").parse::<Table>() {
        Ok(mut parsed) if parsed.len() == 1 => parsed.remove("x"),
        _ => None,
    }
    .unwrap_or_else(|| Value::String(value.to_owned()));
    let mut names: Vec<&str> = key.trim().split('.').collect();
    let Some(last) = names.pop().filter(|last| !last.is_empty()) else {
        return wrong("expected KEY=VALUE, such as train.lr=3e-4");
    };
    let mut place = table;
    for name in names {
        let entry = place.entry(name).or_insert_with(|| Table::new().into());
        place = match entry {
            Value::Table(inner) => inner,
            _ => return wrong(&format!("{name} is a value, not a section")),
        };
    }
    place.insert(last.to_owned(), value);
    Ok(())
}

/// "did you mean", from serde's "unknown field `x`, expected one of `a`, `b`".
fn hint(message: &str) -> String {
    if !message.starts_with("unknown ") {
        return String::new();
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(unknown) = quoted.next() else {
        return String::new();
    };
    let alike = |known: &str| strsim::jaro_winkler(unknown, known);
    let nearest = quoted.max_by(|a, b| alike(a).total_cmp(&alike(b)));
    match nearest {
        Some(known) if alike(known) >= ALIKE => format!("\ndid you mean `{known}`?"),
        _ => String::new(),
    }
}
