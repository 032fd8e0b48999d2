//! What a user writes for WebDataset shards: `train-{000..099}.tar`, `masks.tar#depth.png`.

use std::path::Path;

/// Endings of shards' names.
const ENDINGS: [&str; 3] = [".tar", ".tar.gz", ".tgz"];

/// A brace expression may stand for this many shards.
const MOST_SHARDS: usize = 1_000_000;

/// Shards, and the field of their samples that is wanted.
#[derive(Debug, PartialEq)]
pub(super) struct ShardPattern {
    /// Their paths, perhaps with braces.
    paths: String,
    /// Ending of the image's entry without the key and its dot; none: whichever there is.
    pub(super) field: Option<String>,
}

impl ShardPattern {
    /// The pattern, if `path` has a shard's ending and is no folder.
    pub(super) fn parse(path: &Path) -> Option<Self> {
        let text = path.to_str().filter(|_| !path.is_dir())?;
        let is_shard = |text: &str| ENDINGS.iter().any(|ending| text.ends_with(ending));
        let (paths, field) = match text.rsplit_once('#') {
            Some((paths, field)) if is_shard(paths) && !path.exists() => (paths, Some(field.to_owned())),
            _ => (text, None),
        };
        is_shard(paths).then(|| Self {
            paths: paths.to_owned(),
            field,
        })
    }

    /// The paths of the shards, or what is wrong with the braces. A file that is there is meant itself.
    pub(super) fn expand(&self) -> Result<Vec<String>, String> {
        match Path::new(&self.paths).exists() {
            true => Ok(vec![self.paths.clone()]),
            false => expand_braces(&self.paths),
        }
    }
}

/// `a{0..2}b` is `a0b`, `a1b`, `a2b`; `{x,y}` is `x`, `y`. Numbers keep the width of the first.
fn expand_braces(pattern: &str) -> Result<Vec<String>, String> {
    let Some(open) = pattern.find('{') else {
        return Ok(vec![pattern.to_owned()]);
    };
    let Some(length) = pattern[open..].find('}') else {
        return Err("a { without its }".into());
    };
    let (before, inside) = (&pattern[..open], &pattern[open + 1..open + length]);
    let rest = expand_braces(&pattern[open + length + 1..])?;
    let choices: Vec<String> = match inside.split_once("..") {
        Some((first, last)) => {
            let number = |text: &str| {
                let ascii = text.bytes().all(|b| b.is_ascii_digit());
                text.parse::<u64>().ok().filter(|_| ascii)
            };
            let (Some(from), Some(to)) = (number(first), number(last)) else {
                return Err(format!("{{{inside}}} is no range of numbers"));
            };
            if from > to || to - from >= MOST_SHARDS as u64 {
                return Err(format!(
                    "{{{inside}}} must rise and stand for at most {MOST_SHARDS} numbers"
                ));
            }
            let width = first.len();
            (from..=to).map(|n| format!("{n:0width$}")).collect()
        }
        None => inside.split(',').map(str::to_owned).collect(),
    };
    if choices.len().saturating_mul(rest.len()) > MOST_SHARDS {
        return Err(format!("it stands for more than {MOST_SHARDS} shards"));
    }
    let all = choices
        .iter()
        .flat_map(|choice| rest.iter().map(move |rest| format!("{before}{choice}{rest}")));
    Ok(all.collect())
}
