//! Variant names: `S-B/4x16`, `Ld4-Ld24/1x16x64`, `w256_d6_h4/1x8x16`.
//!
//! Two families of names exist, and they share letters with different meanings (`L` is 1152 wide
//! in the paper's table 1, 1024 wide in ViTok-v2):
//!
//! - the paper's, `ENC-DEC/P` or `ENC-DEC/QxP`, sizes S, B, L, 16 channels unless said;
//! - v2's, `ENC-DEC/QxPxC` or `ENC-DEC/PxC`, sizes B, L, G, T, E.
//!
//! A name without a prefix is read so: a size only one family has, or an override (v2), decides;
//! else three numbers mean v2, one number means the paper, and two numbers mean the paper's `QxP`
//! if the first is at most 8 (the paper's q are 1, 2, 4, 8) and v2's `PxC` otherwise. `paper:` or
//! `v2:` in front of a name decides it outright; printing adds the prefix only where it is needed.

use std::fmt;
use std::str::FromStr;

use crate::patches::Tubelet;
use crate::{Error, Result};

/// Hidden width of the gated MLP over the width of the block (paper, section 2; v2 the same).
pub const DEFAULT_MLP_RATIO: f64 = 2.67;

/// Channels of the paper's variants where the name does not say (paper, section 2.3).
const PAPER_CHANNELS: usize = 16;

/// Keeps every derived product far from overflow.
const LARGEST_NUMBER: usize = 1 << 16;

/// Which table of sizes, block and bottleneck a name refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// arXiv 2501.09755: sequential blocks, KL bottleneck, 3D RoPE.
    Paper,
    /// The ViTok-v2 release: parallel blocks, LayerNorm bottleneck, 2D RoPE.
    V2,
}

/// One stack of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Width C of a token.
    pub width: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Attention heads.
    pub heads: usize,
}

/// A parsed variant name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Variant {
    /// Which family's defaults apply.
    pub family: Family,
    /// The encoder's stack.
    pub encoder: Size,
    /// The decoder's stack.
    pub decoder: Size,
    /// MLP ratio of both stacks (v2: the larger of the two sides if they differ).
    pub mlp_ratio: f64,
    /// Pixels per token.
    pub tubelet: Tubelet,
    /// Channels c of a latent token.
    pub channels: usize,
}

const fn size(width: usize, depth: usize, heads: usize) -> Size {
    Size { width, depth, heads }
}

impl Family {
    /// The letters of this family (paper, table 1; ViTok-v2 release).
    fn sizes(self) -> &'static [(char, Size)] {
        const PAPER: &[(char, Size)] = &[
            ('S', size(768, 6, 12)),
            ('B', size(768, 12, 12)),
            ('L', size(1152, 24, 16)),
        ];
        const V2: &[(char, Size)] = &[
            ('B', size(768, 12, 12)),
            ('L', size(1024, 24, 16)),
            ('G', size(1728, 32, 24)),
            ('T', size(3072, 40, 24)),
            ('E', size(4096, 48, 32)),
        ];
        match self {
            Family::Paper => PAPER,
            Family::V2 => V2,
        }
    }

    fn has(self, letter: char) -> bool {
        self.sizes().iter().any(|(l, _)| *l == letter)
    }

    /// The prefix that decides the family.
    fn prefix(self) -> &'static str {
        match self {
            Family::Paper => "paper",
            Family::V2 => "v2",
        }
    }
}

impl Variant {
    /// Hidden width of the MLP for a stack of this width.
    ///
    /// The paper's is `floor(2.67 C)`; v2 rounds that to a multiple of 16.
    pub fn hidden(&self, width: usize) -> usize {
        let hidden = (width as f64 * self.mlp_ratio).floor() as usize;
        match self.family {
            Family::Paper => hidden,
            Family::V2 => (hidden + 8) / 16 * 16,
        }
    }

    fn check(&self) -> std::result::Result<(), String> {
        for (side, size) in [("encoder", self.encoder), ("decoder", self.decoder)] {
            if !size.width.is_multiple_of(size.heads) {
                return Err(format!(
                    "the {side}'s width {} does not divide by its {} heads",
                    size.width, size.heads
                ));
            }
            if self.hidden(size.width) == 0 {
                return Err(format!("the {side}'s MLP would have no hidden units"));
            }
        }
        Ok(())
    }
}

/// A side of the name as written: a letter or `w…`, and what overrides it.
#[derive(Default)]
struct Side {
    letter: Option<char>,
    width: Option<usize>,
    depth: Option<usize>,
    heads: Option<usize>,
    mlp_ratio: Option<f64>,
}

impl Side {
    fn parse(text: &str) -> std::result::Result<Self, String> {
        let mut side = Side::default();
        let mut rest = text;
        if let Some(letter) = rest.chars().next().filter(char::is_ascii_uppercase) {
            side.letter = Some(letter);
            rest = &rest[1..];
        }
        while !rest.is_empty() {
            rest = rest.strip_prefix('_').unwrap_or(rest);
            let key = rest.chars().next().ok_or("it ends with an underscore")?;
            let value_and_rest = &rest[key.len_utf8()..];
            let end = value_and_rest
                .find(|c: char| !(c.is_ascii_digit() || c == '.'))
                .unwrap_or(value_and_rest.len());
            let (value, after) = value_and_rest.split_at(end);
            rest = after;
            let twice = match key {
                'w' => side.width.replace(number(value)?).is_some(),
                'd' => side.depth.replace(number(value)?).is_some(),
                'h' => side.heads.replace(number(value)?).is_some(),
                'm' => side.mlp_ratio.replace(ratio(value)?).is_some(),
                _ => {
                    return Err(format!(
                        "'{key}' in \"{text}\" is none of w (width), d (depth), h (heads), m (MLP ratio)"
                    ));
                }
            };
            if twice {
                return Err(format!("'{key}' stands twice in \"{text}\""));
            }
        }
        Ok(side)
    }

    fn has_override(&self) -> bool {
        self.width.is_some() || self.depth.is_some() || self.heads.is_some() || self.mlp_ratio.is_some()
    }

    fn resolve(&self, family: Family) -> std::result::Result<Size, String> {
        let letters: String = family.sizes().iter().map(|(l, _)| *l).collect();
        let base = match self.letter {
            Some(letter) => Some(
                family
                    .sizes()
                    .iter()
                    .find(|(l, _)| *l == letter)
                    .map(|(_, size)| *size)
                    .ok_or_else(|| format!("no size {letter} in the {} family (it has {letters})", family.prefix()))?,
            ),
            None => None,
        };
        let pick = |own: Option<usize>, base: Option<usize>, what: &str| {
            own.or(base)
                .ok_or_else(|| format!("no {what}: write a size letter or w<width>_d<depth>_h<heads>"))
        };
        Ok(Size {
            width: pick(self.width, base.map(|b| b.width), "width")?,
            depth: pick(self.depth, base.map(|b| b.depth), "depth")?,
            heads: pick(self.heads, base.map(|b| b.heads), "number of heads")?,
        })
    }
}

fn number(text: &str) -> std::result::Result<usize, String> {
    match text.parse() {
        Ok(n) if (1..=LARGEST_NUMBER).contains(&n) => Ok(n),
        _ => Err(format!("\"{text}\" is not a whole number from 1 to {LARGEST_NUMBER}")),
    }
}

fn ratio(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(r) if r > 0.0 && r <= 64.0 => Ok(r),
        _ => Err(format!("\"{text}\" is not an MLP ratio between 0 and 64")),
    }
}

/// The family an unprefixed name belongs to; see the module's header.
fn infer_family(sides: &[&Side], numbers: &[usize]) -> Family {
    let letters = || sides.iter().filter_map(|s| s.letter);
    if letters().any(|l| Family::Paper.has(l) && !Family::V2.has(l)) {
        return Family::Paper;
    }
    if letters().any(|l| Family::V2.has(l) && !Family::Paper.has(l)) || sides.iter().any(|s| s.has_override()) {
        return Family::V2;
    }
    match numbers {
        [_] => Family::Paper,
        [q, _] if *q <= 8 => Family::Paper,
        _ => Family::V2,
    }
}

fn parse(name: &str) -> std::result::Result<Variant, String> {
    let (prefix, body) = match name.split_once(':') {
        Some(("paper", body)) => (Some(Family::Paper), body),
        Some(("v2", body)) => (Some(Family::V2), body),
        Some((other, _)) => {
            return Err(format!("no family \"{other}\" (there are paper: and v2:)"));
        }
        None => (None, name),
    };
    let (sizes, numbers) = body
        .split_once('/')
        .ok_or("expected SIZES/NUMBERS, such as S-B/16, S-B/4x16, Ld4-Ld24/1x16x64 or w256_d6_h4/1x8x16")?;
    let numbers = numbers
        .split('x')
        .map(number)
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let (encoder, decoder) = match sizes.split_once('-') {
        Some((encoder, decoder)) => (Side::parse(encoder)?, Side::parse(decoder)?),
        None => (Side::parse(sizes)?, Side::parse(sizes)?),
    };
    let family = prefix.unwrap_or_else(|| infer_family(&[&encoder, &decoder], &numbers));
    let (frames, patch, channels) = match (family, numbers.as_slice()) {
        (_, [q, p, c]) => (*q, *p, *c),
        (Family::Paper, [q, p]) => (*q, *p, PAPER_CHANNELS),
        (Family::Paper, [p]) => (1, *p, PAPER_CHANNELS),
        (Family::V2, [p, c]) => (1, *p, *c),
        (Family::V2, [_]) => return Err("v2 names end in PxC or QxPxC".into()),
        _ => return Err("at most three numbers (QxPxC) may follow the slash".into()),
    };
    let side_ratio = |s: &Side| s.mlp_ratio.unwrap_or(DEFAULT_MLP_RATIO);
    let variant = Variant {
        family,
        encoder: encoder.resolve(family)?,
        decoder: decoder.resolve(family)?,
        mlp_ratio: side_ratio(&encoder).max(side_ratio(&decoder)),
        tubelet: Tubelet { frames, patch },
        channels,
    };
    variant.check()?;
    Ok(variant)
}

impl FromStr for Variant {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        parse(name).map_err(|reason| Error::Variant {
            name: name.to_owned(),
            reason,
        })
    }
}

impl Variant {
    fn size_name(&self, size: Size) -> String {
        let sizes = self.family.sizes();
        let same_width = |(_, s): &&(char, Size)| s.width == size.width;
        let named = sizes
            .iter()
            .find(|(_, s)| *s == size)
            .or_else(|| sizes.iter().find(same_width));
        let mut name = String::new();
        match named {
            Some((letter, base)) => {
                name.push(*letter);
                if base.depth != size.depth {
                    name += &format!("d{}", size.depth);
                }
                if base.heads != size.heads {
                    name += &format!("h{}", size.heads);
                }
                if self.mlp_ratio != DEFAULT_MLP_RATIO {
                    name += &format!("m{}", self.mlp_ratio);
                }
            }
            None => {
                name += &format!("w{}_d{}_h{}", size.width, size.depth, size.heads);
                if self.mlp_ratio != DEFAULT_MLP_RATIO {
                    name += &format!("_m{}", self.mlp_ratio);
                }
            }
        }
        name
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tubelet { frames, patch } = self.tubelet;
        let mut body = self.size_name(self.encoder);
        if self.encoder != self.decoder {
            body += &format!("-{}", self.size_name(self.decoder));
        }
        body += &match (self.family, frames, self.channels) {
            (Family::Paper, 1, PAPER_CHANNELS) => format!("/{patch}"),
            (Family::Paper, q, PAPER_CHANNELS) => format!("/{q}x{patch}"),
            (_, q, c) => format!("/{q}x{patch}x{c}"),
        };
        let read_as = parse(&body).map(|v| v.family);
        if read_as == Ok(self.family) {
            f.write_str(&body)
        } else {
            write!(f, "{}:{body}", self.family.prefix())
        }
    }
}
