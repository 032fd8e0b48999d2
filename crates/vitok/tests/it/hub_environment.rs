//! The environment variables of the hub mean what they mean to `huggingface_hub`, whose answers
//! `fixtures/hub/make.py` has written down.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use vitok::weights::hub::Hub;

/// The home folder of the fixture; that of a test stands in its place.
const HOME: &str = "/home/me";

type Variables = BTreeMap<String, String>;

/// Variables that are set, the cache, the file of the token, whether the network is forbidden.
#[derive(Deserialize)]
struct Row(Variables, String, String, bool);

fn settings(variables: &Variables, home: &str) -> Hub {
    let lookup = |name: &str| match name {
        "HOME" => Some(home.to_owned()),
        "DATA" => Some("/data".to_owned()),
        name => variables.get(name).cloned(),
    };
    Hub::from_lookup(lookup, Some(Path::new(home))).unwrap()
}

#[test]
fn folders_tokens_and_offline_are_those_of_huggingface_hub() {
    let text = include_str!("../fixtures/hub/environment.json");
    let rows: Vec<Row> = serde_json::from_str(text).unwrap();
    assert_eq!(rows.len(), 196);
    for Row(variables, cache, token_file, offline) in rows {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap();
        let here = |text: &str| text.replace(HOME, home);
        let variables: Variables = variables
            .iter()
            .map(|(name, value)| (name.clone(), here(value)))
            .collect();
        if token_file.starts_with(HOME) {
            let path = here(&token_file);
            fs::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
            fs::write(path, "hf_of_file\n").unwrap();
        }
        let hub = settings(&variables, home);
        assert_eq!(hub.cache_folder, Path::new(&here(&cache)), "{variables:?}");
        assert_eq!(hub.offline, offline, "{variables:?}");
        let token = token_file.starts_with(HOME).then_some("hf_of_file");
        assert_eq!(hub.token.as_deref(), token, "{variables:?}");
    }
}

/// The order in which `huggingface_hub` looks for a token, and the variable that keeps it from sending any.
#[test]
fn tokens_come_from_variables_first() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().to_str().unwrap();
    fs::create_dir_all(folder.path().join(".cache/huggingface")).unwrap();
    fs::write(folder.path().join(".cache/huggingface/token"), "hf_file").unwrap();
    let token = |variables: &[(&str, &str)]| {
        let variables = variables
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        settings(&variables.collect(), home).token
    };
    let (new, old) = (("HF_TOKEN", "hf_new"), ("HUGGING_FACE_HUB_TOKEN", "hf_old"));
    assert_eq!(token(&[]).as_deref(), Some("hf_file"));
    assert_eq!(token(&[old]).as_deref(), Some("hf_old"));
    assert_eq!(token(&[old, new]).as_deref(), Some("hf_new"));
    assert_eq!(token(&[old, ("HF_TOKEN", "")]).as_deref(), Some("hf_old"));
    assert_eq!(token(&[new, ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]), None);
    assert_eq!(
        token(&[new, ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "0")]).as_deref(),
        Some("hf_new")
    );
}
