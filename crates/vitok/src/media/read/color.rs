//! From whatever channels a file has to 8-bit RGB.

use image::ColorType;

/// What becomes of transparency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpha {
    /// The color channels as they are stored, also where nothing of them would be seen.
    Drop,
    /// The image laid over this RGB color, blended in the file's own values.
    Over([u8; 3]),
}

/// Over white, as a web page or a viewer would show it.
impl Default for Alpha {
    fn default() -> Self {
        Alpha::Over([255; 3])
    }
}

/// Decoded bytes as RGB; the words of the error are for the user.
///
/// 16-bit channels are rounded to 8 bits before blending, and so are float channels. `raw` has
/// the decoder's layout: channels side by side, in the machine's byte order.
pub(super) fn to_rgb(raw: Vec<u8>, color: ColorType, alpha: Alpha) -> Result<Vec<u8>, String> {
    let bytes = match color {
        ColorType::L8 | ColorType::La8 | ColorType::Rgb8 | ColorType::Rgba8 => raw,
        ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16 => raw
            .chunks_exact(2)
            .map(|b| narrow(u16::from_ne_bytes([b[0], b[1]])))
            .collect(),
        ColorType::Rgb32F | ColorType::Rgba32F => from_floats(&raw)?,
        other => return Err(format!("a color layout that is not supported: {other:?}")),
    };
    Ok(match color.channel_count() {
        1 => bytes.iter().flat_map(|&gray| [gray; 3]).collect(),
        2 => bytes
            .chunks_exact(2)
            .flat_map(|p| blend([p[0]; 3], p[1], alpha))
            .collect(),
        3 => bytes,
        _ => bytes
            .chunks_exact(4)
            .flat_map(|p| blend([p[0], p[1], p[2]], p[3], alpha))
            .collect(),
    })
}

/// 16 bits rounded to 8; 65535 is 255 times 257.
fn narrow(value: u16) -> u8 {
    ((u32::from(value) + 128) / 257) as u8
}

/// Floats have no range of their own. Those of 0 to 1 are taken for black to white; anything
/// beyond is light or measurements, and clipping it would quietly spoil the image.
fn from_floats(raw: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(raw.len() / 4);
    for b in raw.chunks_exact(4) {
        let value = f32::from_ne_bytes([b[0], b[1], b[2], b[3]]);
        if !(0.0..=1.0).contains(&value) {
            return Err(format!(
                "holds the float value {value}; only values from 0 to 1 are supported"
            ));
        }
        bytes.push((value * 255.0).round() as u8);
    }
    Ok(bytes)
}

fn blend(color: [u8; 3], opacity: u8, alpha: Alpha) -> [u8; 3] {
    let Alpha::Over(background) = alpha else {
        return color;
    };
    let opacity = u32::from(opacity);
    let mut result = color;
    for (channel, below) in result.iter_mut().zip(background) {
        let sum = u32::from(*channel) * opacity + u32::from(below) * (255 - opacity);
        // 127 more rounds: 255 is odd, so there are no ties.
        *channel = ((sum + 127) / 255) as u8;
    }
    result
}
