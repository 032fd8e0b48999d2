//! What differs between two configurations.

use std::collections::BTreeSet;

use serde_json::Value;

use super::TrainConfig;

/// Keys and sections that decide only what is shown and how fast a run is, not what it ends with.
const WITHOUT_EFFECT: [&str; 11] = [
    "data.validation",
    "data.loader.workers",
    "data.loader.prefetch",
    "data.loader.cache_mib",
    "data.loader.max_bad_fraction",
    "data.loader.max_pixels",
    "train.checkpoint_every",
    "train.keep_last",
    "train.log_every",
    "train.max_loss",
    "validation",
];

impl TrainConfig {
    /// Where `other` differs in what decides the weights, as `key: old -> new`.
    pub fn changes(&self, other: &Self) -> Vec<String> {
        let [old, new] = [self, other].map(|config| serde_json::to_value(config).unwrap_or_default());
        let mut changes = Vec::new();
        compare("", &old, &new, &mut changes);
        let has_effect = |key: &str| {
            let within = |other: &str| key == other || key.starts_with(&format!("{other}."));
            !WITHOUT_EFFECT.into_iter().any(within)
        };
        let changes = changes.into_iter().filter(|(key, _)| has_effect(key));
        changes.map(|(key, change)| format!("{key}: {change}")).collect()
    }
}

/// Adds the key and the change of every value that differs below `key`.
fn compare(key: &str, old: &Value, new: &Value, changes: &mut Vec<(String, String)>) {
    if let (Some(a), Some(b)) = (old.as_object(), new.as_object()) {
        let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        for name in names {
            let key = match key {
                "" => name.clone(),
                key => format!("{key}.{name}"),
            };
            let [a, b] = [a, b].map(|side| side.get(name).unwrap_or(&Value::Null));
            compare(&key, a, b, changes);
        }
    } else if old != new {
        changes.push((key.to_owned(), format!("{old} -> {new}")));
    }
}
