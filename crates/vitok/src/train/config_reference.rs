//! The reference of all configuration keys, docs/config.md, made from the comments, types and defaults of the structs that
//! TOML files are read into. Only the tests, which write it and hold it to the code, are built with it.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::{LossConfig, StepConfig, TrainConfig, ValidationConfig};
use crate::data::{Augment, DataConfig, DataSource, LoaderConfig};
use crate::nn::{Attention, BlockKind, Rope};
use crate::tokenizer::vit::{Bottleneck, ModelSpec};

const INTRODUCTION: &str = "\
# Configuration of a training run

Every key of a training run's TOML file, with its type, its default and its meaning. A value can be overridden without
changing the file by its dotted name, such as `train.lr=3e-4`. Unknown keys are refused.

This page is made from the source code; change the comments there.
";

/// A Markdown page with a table for each section of a [`TrainConfig`].
fn config_reference() -> String {
    let settings = SchemaSettings::default().with(|settings| settings.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<TrainConfig>();
    // As TOML, an example gives all sections and keys in the order in which they are declared.
    let example = toml::to_string(&example()).unwrap_or_default();
    let mut page = INTRODUCTION.to_owned();
    page += "\n## Top level\n\n";
    page += TABLE;
    let mut section = schema.as_value();
    for line in example.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name
                .split('.')
                .fold(schema.as_value(), |section, name| &section["properties"][name]);
            page += &format!("\n## `[{name}]`\n\n{}\n\n{TABLE}", description(section));
        } else if let Some((key, _)) = line.split_once(" = ") {
            page += &row(key, section);
        }
    }
    page
}

const TABLE: &str = "| key | type | default | meaning |\n|---|---|---|---|\n";

/// A configuration that sets every key.
fn example() -> TrainConfig {
    TrainConfig {
        seed: 0,
        model: ModelSpec {
            attention: Some(Attention::Full),
            block: Some(BlockKind::Parallel),
            bottleneck: Some(Bottleneck::Kl),
            rope: Some(Rope::TwoD),
            layer_scale: Some(1e-4),
            ..ModelSpec::new("S-B/16")
        },
        data: DataConfig {
            train: vec![DataSource::Path("images".into())],
            validation: Vec::new(),
            augment: Augment::default(),
            loader: LoaderConfig::default(),
        },
        loss: LossConfig {
            kl: Some(1e-3),
            ..LossConfig::default()
        },
        train: StepConfig::default(),
        validation: ValidationConfig::default(),
    }
}

/// A key of a section.
fn row(key: &str, section: &Value) -> String {
    let schema = &section["properties"][key];
    let is_required = section["required"]
        .as_array()
        .is_some_and(|keys| keys.contains(&key.into()));
    let default = match &schema["default"] {
        _ if is_required || schema["x-required"] == true => "required".into(),
        Value::Null => "unset".into(),
        value => format!("`{value}`").replace(',', ", "),
    };
    let types = types(schema).join(" or ");
    format!("| `{key}` | {types} | {default} | {} |\n", meaning(schema))
}

/// The kinds of value a schema allows, as in TOML.
fn types(schema: &Value) -> Vec<String> {
    if let Some(value) = schema.get("const") {
        return vec![format!("`{value}`")];
    }
    if let Some(values) = schema["enum"].as_array() {
        let values = values.iter().filter(|value| !value.is_null());
        return values.map(|value| format!("`{value}`")).collect();
    }
    if let Some(schemas) = alternatives(schema) {
        return schemas.iter().flat_map(types).collect();
    }
    match &schema["type"] {
        Value::Array(names) => names
            .iter()
            .filter_map(Value::as_str)
            .filter_map(|name| named(name, schema))
            .collect(),
        name => name.as_str().and_then(|name| named(name, schema)).into_iter().collect(),
    }
}

/// A JSON type's name in TOML; none for null.
fn named(name: &str, schema: &Value) -> Option<String> {
    match (name, schema["maxItems"].as_u64()) {
        ("null", _) => None,
        ("array", Some(count)) => {
            let item = types(&schema["items"]).join(" or ");
            Some(format!("[{}]", vec![item; count as usize].join(", ")))
        }
        ("array", None) => Some(format!("array of {}", types(&schema["items"]).join(" or "))),
        ("object", _) => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            let keys: Vec<String> = properties
                .map(|(key, value)| format!("{key} = {}", types(value).join(" or ")))
                .collect();
            Some(format!("`{{ {} }}`", keys.join(", ")))
        }
        (name, _) => Some(name.to_owned()),
    }
}

/// The alternatives of an enum or an optional value.
fn alternatives(schema: &Value) -> Option<&Vec<Value>> {
    schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array())
}

/// The comment of a key, and those of the values it may have.
fn meaning(schema: &Value) -> String {
    let values: Vec<&Value> = values(schema);
    let values = values.into_iter().filter(|value| !description(value).is_empty());
    let values: Vec<String> = values
        .map(|value| format!("{}: {}", types(value).join(" or "), description(value)))
        .collect();
    [description(schema)]
        .into_iter()
        .chain(values)
        .collect::<Vec<_>>()
        .join("<br>")
        .replace('|', "\\|")
}

/// Every single value of an enum.
fn values(schema: &Value) -> Vec<&Value> {
    let schemas = alternatives(schema).into_iter().flatten();
    schemas
        .flat_map(|schema| match alternatives(schema) {
            Some(_) => values(schema),
            None => vec![schema],
        })
        .collect()
}

fn description(schema: &Value) -> String {
    schema["description"]
        .as_str()
        .unwrap_or_default()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use super::*;

    /// With `VITOK_WRITE_DOCS=1` it is written.
    #[test]
    fn docs_config_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/config.md");
        if std::env::var("VITOK_WRITE_DOCS").is_ok_and(|value| value == "1") {
            std::fs::write(&path, config_reference()).unwrap();
        }
        let page = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            page == config_reference(),
            "docs/config.md is out of date: VITOK_WRITE_DOCS=1 cargo test -p vitok --lib docs_config"
        );
    }

    #[test]
    fn every_key_is_in_the_reference_with_a_meaning() {
        fn keys(schema: &Value, names: &mut Vec<String>) {
            for (name, schema) in schema["properties"].as_object().unwrap() {
                assert!(!description(schema).is_empty(), "{name}");
                match schema["properties"].is_object() {
                    true => keys(schema, names),
                    false => names.push(name.clone()),
                }
            }
        }
        let settings = SchemaSettings::default().with(|settings| settings.inline_subschemas = true);
        let schema = settings.into_generator().into_root_schema_for::<TrainConfig>();
        let mut names = Vec::new();
        keys(schema.as_value(), &mut names);
        let page = config_reference();
        let rows: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("| `")).collect();
        let mut listed: Vec<&str> = rows.iter().filter_map(|row| row.split('`').next()).collect();
        names.sort();
        listed.sort();
        assert_eq!(listed, names);
    }
}
