//! TOML files: reading them with single values overridden, and suggesting the key that was meant for an unknown one.

use std::path::Path;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::{Error, Result};

/// How similar an unknown key and a known one must be for a suggestion (Jaro-Winkler, 0 to 1).
const SIMILAR: f64 = 0.7;

/// What a key may be called elsewhere, and was called here before, with what it is called here.
const SYNONYMS: [(&str, &str); 23] = [
    ("ahead", "prefetch"),
    ("batch", "batch_size"),
    ("clip", "grad_clip"),
    ("crop_area", "scale"),
    ("crop_aspect", "ratio"),
    ("crop_share", "crop_prob"),
    ("ema", "ema_decay"),
    ("evaluate", "validation"),
    ("held_out", "validation"),
    ("keep", "keep_last"),
    ("learning_rate", "lr"),
    ("lr_end", "min_lr"),
    ("max_bad", "max_bad_fraction"),
    ("max_grad_norm", "grad_clip"),
    ("memory", "cache_mib"),
    ("num_workers", "workers"),
    ("parts", "micro_batches"),
    ("share", "weight"),
    ("shrink", "downscale"),
    ("threads", "workers"),
    ("val", "validation"),
    ("warm_up", "warmup_steps"),
    ("warmup", "warmup_steps"),
];

/// Reads a TOML file into `T`, after setting what `overrides` say: `section.key=value`, the value as in TOML; what is no
/// TOML value is taken as text.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::Config`] for syntax, unknown keys (with the key that may be meant)
/// and wrong values; also for an override without `=`.
pub fn read_toml<T: DeserializeOwned>(path: &Path, overrides: &[String]) -> Result<T> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, "read", e))?;
    let failed = |e: toml::de::Error, context: &str| Error::Config {
        origin: path.display().to_string(),
        reason: format!("{context}{}{}", e.to_string().trim_end(), suggestion(e.message())),
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

/// The error of a value that is out of its range, before it is known which file it is from; `reason` names the key.
pub(crate) fn invalid_value(reason: impl Into<String>) -> Error {
    Error::Config {
        origin: "configuration".into(),
        reason: reason.into(),
    }
}

/// Sets the value of an override `section.key=value`.
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
    let mut section = table;
    for name in names {
        let entry = section.entry(name).or_insert_with(|| Table::new().into());
        section = match entry {
            Value::Table(inner) => inner,
            _ => return wrong(&format!("{name} is a value, not a section")),
        };
    }
    section.insert(last.to_owned(), value);
    Ok(())
}

/// "did you mean", from serde's "unknown field `x`, expected one of `a`, `b`".
fn suggestion(message: &str) -> String {
    if !message.starts_with("unknown ") {
        return String::new();
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(unknown) = quoted.next() else {
        return String::new();
    };
    match meant(unknown, &quoted.collect::<Vec<_>>()) {
        Some(known) => format!("\ndid you mean `{known}`?"),
        None => String::new(),
    }
}

/// The known name that is meant by an unknown one: itself in snake case, what its synonym is called here, or the most
/// similar one.
fn meant<'a>(unknown: &str, known: &[&'a str]) -> Option<&'a str> {
    let unknown = unknown.replace('-', "_");
    let named = |name: &str| known.iter().copied().find(|known| *known == name);
    let synonym = SYNONYMS.iter().filter(|(other, _)| *other == unknown);
    let exact = named(&unknown).or_else(|| synonym.map(|(_, ours)| *ours).find_map(named));
    let similarity = |known: &str| strsim::jaro_winkler(&unknown, known);
    let nearest = known
        .iter()
        .copied()
        .max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
    exact.or_else(|| nearest.filter(|known| similarity(known) >= SIMILAR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kebab_case_synonyms_and_typing_errors_are_understood() {
        let train = [
            "steps",
            "batch_size",
            "micro_batches",
            "lr",
            "min_lr",
            "weight_decay",
            "grad_clip",
            "ema_decay",
        ];
        for (unknown, expected) in [
            ("weight-decay", Some("weight_decay")),
            ("batch-size", Some("batch_size")),
            ("batch", Some("batch_size")),
            ("clip", Some("grad_clip")),
            ("lr-end", Some("min_lr")),
            ("learning-rate", Some("lr")),
            ("parts", Some("micro_batches")),
            ("stps", Some("steps")),
            ("zzz", None),
            ("held-out", None),
        ] {
            assert_eq!(meant(unknown, &train), expected, "{unknown}");
        }
        assert_eq!(meant("held-out", &["train", "validation"]), Some("validation"));
    }
}
