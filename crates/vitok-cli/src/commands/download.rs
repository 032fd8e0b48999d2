//! `vitok download`

use vitok::hub;

use crate::args::DownloadArgs;
use crate::output;

pub fn run(args: &DownloadArgs) -> anyhow::Result<bool> {
    let Some(name) = args.name.as_deref().filter(|_| !args.list) else {
        let rows = hub::RELEASES.iter().map(|r| {
            vec![
                r.name.to_string(),
                r.variant.to_string(),
                r.repository.to_string(),
            ]
        });
        let rows: Vec<Vec<String>> = rows.collect();
        if args.json {
            output::line(&serde_json::to_string_pretty(&rows)?)?;
        } else {
            output::table(&["name", "variant", "repository"], rows)?;
        }
        return Ok(true);
    };
    let folder = hub::download(name, args.revision.as_deref(), !args.json)?;
    if args.json {
        let found = serde_json::json!({ "name": name, "folder": folder });
        output::line(&serde_json::to_string_pretty(&found)?)?;
    } else {
        output::line(&format!("{name} is in {}", folder.display()))?;
    }
    Ok(true)
}
