//! The released models and how they may be called.

/// Who publishes the released models, and what their repositories' names begin with.
const OWNER: &str = "philippehansen/";
const PREFIX: &str = "ViTok-v2-";

/// A released model: a pair of weight files in a repository of the Hugging Face hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// Short name, for instance `350M-f16x64`: size, patch side, latent channels.
    pub name: &'static str,
    /// The repository, `owner/repo`.
    pub repository: &'static str,
    /// The network's variant string; see [`ModelConfig::of_variant`](crate::tokenizer::vit::ModelConfig::of_variant).
    pub variant: &'static str,
}

macro_rules! releases {
    ($($name:literal = $variant:literal,)*) => {
        /// All released models. Their files are f32: about 1.4 GB for a 350M model, 20 GB for a 5B.
        pub const RELEASES: &[Release] = &[$(Release {
            name: $name,
            repository: concat!("philippehansen/ViTok-v2-", $name),
            variant: $variant,
        },)*];
    };
}

releases! {
    "350M-f16x16" = "Ld4-Ld24/1x16x16",
    "350M-f16x32" = "Ld4-Ld24/1x16x32",
    "350M-f16x64" = "Ld4-Ld24/1x16x64",
    "5B-f16x16" = "Td4-T/1x16x16",
    "5B-f16x32" = "Td4-T/1x16x32",
    "5B-f16x64" = "Td4-T/1x16x64",
    "5B-f32x64" = "Td4-T/1x32x64",
    "5B-f32x128" = "Td4-T/1x32x128",
    "5B-f32x256" = "Td4-T/1x32x256",
}

/// The released model called `name`: `350M-f16x64`, `ViTok-v2-350M-f16x64` or the whole repository name, in any case of
/// letters.
pub fn find(name: &str) -> Option<&'static Release> {
    let short = short(name);
    RELEASES
        .iter()
        .find(|r| r.name.eq_ignore_ascii_case(short) && !short.is_empty())
}

/// The names of up to three released models within an edit distance of 3 from `name`, nearest first.
pub(super) fn near(name: &str) -> Vec<&'static str> {
    // Whatever the owner: a wrong one is as likely a mistake as a wrong letter.
    let repository = name.rsplit('/').next().unwrap_or(name);
    let typed = short(repository).to_ascii_lowercase();
    let mut near: Vec<(usize, &str)> = RELEASES
        .iter()
        .map(|r| (strsim::levenshtein(&typed, &r.name.to_ascii_lowercase()), r.name))
        .filter(|(distance, _)| *distance <= 3)
        .collect();
    // Stable, so equals stay in the order of the table.
    near.sort_by_key(|(distance, _)| *distance);
    near.into_iter().map(|(_, name)| name).take(3).collect()
}

/// `name` without the owner and the common prefix.
fn short(name: &str) -> &str {
    let strip = |name, prefix: &str| match str::get(name, ..prefix.len()) {
        Some(start) if start.eq_ignore_ascii_case(prefix) => &name[prefix.len()..],
        _ => name,
    };
    strip(strip(name, OWNER), PREFIX)
}
