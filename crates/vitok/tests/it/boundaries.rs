//! The library's boundaries, read off its source: what it may not do, and who may import whom.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Source files by module path (`media::read::clip`; the crate's root is empty), comments and tests taken out.
fn modules() -> BTreeMap<String, (PathBuf, String)> {
    fn add(folder: &Path, module: &str, all: &mut BTreeMap<String, (PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let below = |name: &str| match module {
                "" => name.to_owned(),
                module => format!("{module}::{name}"),
            };
            if path.is_dir() {
                add(&path, &below(&stem), all);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = match stem.as_str() {
                    "mod" | "lib" => module.to_owned(),
                    stem => below(stem),
                };
                let text = code_only(&fs::read_to_string(&path).unwrap());
                all.insert(name, (path, text));
            }
        }
    }
    let mut all = BTreeMap::new();
    add(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut all);
    all
}

fn code_only(text: &str) -> String {
    let text = match text.find("#[cfg(test)]\nmod tests") {
        Some(at) => &text[..at],
        None => text,
    };
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    text.lines().filter(is_code).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_library_prints_nothing_exits_nothing_and_names_no_flag() {
    let forbidden = [
        "println!",
        "eprint!",
        "print!(",
        "stdout()",
        "stderr()",
        "process::exit",
        "\\x1b",
        "`vitok ",
    ];
    let mut found = Vec::new();
    for (module, (_, text)) in modules() {
        for line in text.lines() {
            for word in forbidden {
                if line.contains(word) {
                    found.push(format!("{module}: {word}: {}", line.trim()));
                }
            }
            // Those of pip are not ours.
            if module != "weights::pretrained::pip" && names_a_flag(line) {
                found.push(format!("{module}: a flag: {}", line.trim()));
            }
            if module != "env" && (line.contains("env::var") || line.contains("env::args") || line.contains("home_dir"))
            {
                found.push(format!("{module}: the environment is read in env.rs: {}", line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Whether a text in the line has `--word`.
fn names_a_flag(line: &str) -> bool {
    let mut rest = line;
    while let Some(at) = rest.find("--") {
        let after = rest[at + 2..].chars().next();
        let before = rest[..at].chars().next_back();
        if after.is_some_and(|c| c.is_ascii_lowercase()) && before.is_none_or(|c| !c.is_alphanumeric() && c != '-') {
            return true;
        }
        rest = &rest[at + 2..];
    }
    false
}

#[test]
fn no_files_import_each_other() {
    let modules = modules();
    let exports: BTreeMap<&str, BTreeMap<String, String>> = modules
        .iter()
        .map(|(name, (_, text))| (name.as_str(), reexports(name, text)))
        .collect();
    let mut imports: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (name, (_, text)) in &modules {
        let targets = paths(name, text)
            .into_iter()
            .map(|path| resolve(&path, &modules, &exports));
        let targets = targets.flatten().filter(|target| target != name);
        imports.insert(name, targets.collect());
    }
    let reachable = |from: &str| {
        let mut seen = BTreeSet::new();
        let mut open = vec![from.to_owned()];
        while let Some(name) = open.pop() {
            for next in imports.get(name.as_str()).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        seen
    };
    let circles: Vec<&str> = modules
        .keys()
        .map(String::as_str)
        .filter(|name| reachable(name).contains(*name))
        .collect();
    let shown = circles.iter().map(|name| {
        let back: Vec<&String> = imports[name].iter().filter(|t| reachable(t).contains(*name)).collect();
        format!("{name} -> {back:?}")
    });
    assert!(
        circles.is_empty(),
        "these import each other:\n{}",
        shown.collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn rooms_import_downwards() {
    /// From the ground up: a room imports only from those before its own line.
    const FLOORS: [&[&str]; 8] = [
        &["error", "observe", "env", "rng"],
        &["files", "toml_file", "device"],
        &["media"],
        &["weights", "patches"],
        &["nn"],
        &["features", "metrics", "losses"],
        &["tokenizer", "data"],
        &["train", "evaluate", "pipeline"],
    ];
    let floor = |module: &str| {
        let room = module.split("::").next().unwrap();
        FLOORS.iter().position(|rooms| rooms.contains(&room))
    };
    let modules = modules();
    let mut wrong = Vec::new();
    for (name, (_, text)) in &modules {
        let Some(own) = floor(name) else { continue };
        for path in paths(name, text) {
            let room = path.split("::").next().unwrap_or_default();
            if floor(room).is_some_and(|other| other > own) {
                wrong.push(format!("{name} imports {path}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a module imports and names, as paths from the crate's root.
fn paths(module: &str, text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for statement in statements(text) {
        for path in expand(&statement) {
            found.extend(absolute(module, &path));
        }
    }
    // Paths within the code.
    let mut rest = text;
    while let Some(at) = rest.find("crate::") {
        let path: String = rest[at..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == ':' || *c == '_')
            .collect();
        found.extend(absolute(module, path.trim_end_matches(':')));
        rest = &rest[at + 7..];
    }
    found
}

/// The trees of `use` statements.
fn statements(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("use ") {
        let line = text[..at].rsplit('\n').next().unwrap_or_default().trim_start();
        if line.is_empty() || (line.starts_with("pub") && !line.contains("fn")) {
            let end = text[at..].find(';').unwrap_or(0);
            found.push(text[at + 4..at + end].split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
    found
}

/// `a::{b, c::{d}}` is `a::b`, `a::c::d`.
fn expand(tree: &str) -> Vec<String> {
    let Some(open) = tree.find('{') else {
        let path = tree.split(" as ").next().unwrap_or(tree);
        return vec![path.trim().to_owned()];
    };
    let inside = &tree[open + 1..tree.rfind('}').unwrap_or(tree.len())];
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for c in inside.chars() {
        depth += match c {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        match (c, depth) {
            (',', 0) => parts.push(String::new()),
            _ => parts.last_mut().unwrap().push(c),
        }
    }
    let parts = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty());
    parts
        .flat_map(|part| expand(part).into_iter().map(|path| format!("{}{path}", &tree[..open])))
        .collect()
}

/// A path from the crate's root; none for other crates.
fn absolute(module: &str, path: &str) -> Option<String> {
    let mut at: Vec<&str> = module.split("::").filter(|part| !part.is_empty()).collect();
    let mut parts = path.split("::").peekable();
    match *parts.peek()? {
        "crate" => {
            at.clear();
            parts.next();
        }
        "self" => {
            parts.next();
        }
        "super" => {
            while parts.next_if_eq(&"super").is_some() {
                at.pop();
            }
        }
        // A child, or another crate; children are declared by the module.
        _ => return None,
    }
    at.extend(parts.filter(|part| *part != "self"));
    Some(at.join("::"))
}

/// Names that a module hands on from its children, by name.
fn reexports(module: &str, text: &str) -> BTreeMap<String, String> {
    let trees = statements(text).into_iter().flat_map(|tree| expand(&tree));
    let children = trees.filter_map(|path| {
        let name = path.rsplit("::").next()?.to_owned();
        let below = match path.starts_with("crate::") || path.starts_with("super::") {
            true => absolute(module, &path)?,
            false => match module {
                "" => path,
                module => format!("{module}::{path}"),
            },
        };
        Some((name, below))
    });
    children.collect()
}

/// The module whose file defines what a path names.
fn resolve(
    path: &str,
    modules: &BTreeMap<String, (PathBuf, String)>,
    exports: &BTreeMap<&str, BTreeMap<String, String>>,
) -> Option<String> {
    let mut path = path.to_owned();
    for _ in 0..8 {
        if modules.contains_key(&path) {
            return Some(path);
        }
        let parts: Vec<&str> = path.split("::").collect();
        let module = (0..parts.len())
            .rev()
            .map(|n| parts[..n].join("::"))
            .find(|m| modules.contains_key(m))?;
        let depth = module.split("::").filter(|part| !part.is_empty()).count();
        let name = parts.get(depth)?;
        match exports.get(module.as_str()).and_then(|names| names.get(*name)) {
            Some(target) if *target != path => path = target.clone(),
            // The root's own re-exports are doors, not places.
            _ => return (!module.is_empty()).then_some(module),
        }
    }
    None
}
