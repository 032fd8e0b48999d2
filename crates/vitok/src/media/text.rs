//! Text drawn on images, in the 8 x 8 bitmap font of the `font8x8` crate.

use font8x8::{BASIC_FONTS, GREEK_FONTS, LATIN_FONTS, UnicodeFonts};

/// Side of a character's cell in the font's pixels.
pub(super) const CELL: usize = 8;

/// Cuts text into lines of at most `columns` characters and at most `most` lines: after a space, a slash or a hyphen
/// where a line has one, else anywhere. Of longer text the end is kept, which tells names apart, after `..`.
pub(super) fn wrap(text: &str, columns: usize, most: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut characters: Vec<char> = text.trim().chars().collect();
    loop {
        let lines = lines(&characters, columns);
        if lines.len() <= most || characters.len() <= 3 {
            return lines;
        }
        let kept = characters.len() - 3;
        characters = ".."
            .chars()
            .chain(characters[characters.len() - kept..].iter().copied())
            .collect();
    }
}

fn lines(mut rest: &[char], columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    while !rest.is_empty() {
        let end = match rest.len() <= columns {
            true => rest.len(),
            false => {
                let breaks = rest[..columns].iter().rposition(|c| matches!(c, ' ' | '/' | '-' | '_'));
                breaks.map_or(columns, |at| at + 1)
            }
        };
        let (line, others) = rest.split_at(end);
        lines.push(line.iter().collect::<String>().trim_end().to_owned());
        let spaces = others.iter().take_while(|c| **c == ' ').count();
        rest = &others[spaces..];
    }
    lines
}

/// Draws a line of black text with its upper left corner at column `left`, row `top` of an RGB image of `width` pixels a
/// row; each of the font's pixels is a square of `scale`. The text must fit.
pub(super) fn draw(rgb: &mut [u8], width: usize, (left, top): (usize, usize), text: &str, scale: usize) {
    for (i, character) in text.chars().enumerate() {
        for (row, bits) in glyph(character).into_iter().enumerate() {
            for column in (0..CELL).filter(|column| bits >> column & 1 == 1) {
                let x = left + (i * CELL + column) * scale;
                for y in (0..scale).map(|dy| top + row * scale + dy) {
                    let start = 3 * (y * width + x);
                    rgb[start..start + 3 * scale].fill(0);
                }
            }
        }
    }
}

/// Rows of a character, the lowest bit of each at the left. Characters that the font lacks are question marks.
fn glyph(character: char) -> [u8; CELL] {
    let found = BASIC_FONTS.get(character);
    let found = found.or_else(|| LATIN_FONTS.get(character));
    let found = found.or_else(|| GREEK_FONTS.get(character));
    found.or_else(|| BASIC_FONTS.get('?')).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_where_names_have_joints() {
        assert_eq!(wrap("original", 8, 4), ["original"]);
        assert_eq!(wrap("PCA 8x8 to 16", 8, 4), ["PCA 8x8", "to 16"]);
        assert_eq!(wrap("models/photographs-64", 8, 4), ["models/", "photogra", "phs-64"]);
        assert_eq!(wrap("", 8, 4), [""; 0]);
    }

    #[test]
    fn of_long_names_the_end_is_kept() {
        let lines = wrap(&format!("{}last", "long/".repeat(50)), 10, 3);
        assert!(lines.len() <= 3 && lines[0].starts_with(".."), "{lines:?}");
        assert!(lines[lines.len() - 1].ends_with("last"), "{lines:?}");
        assert!(lines.iter().all(|line| line.chars().count() <= 10), "{lines:?}");
    }

    #[test]
    fn a_letter_is_drawn_as_it_reads() {
        let mut rgb = vec![255; 3 * 16 * 16];
        draw(&mut rgb, 16, (0, 0), "L", 2);
        let dark = |x: usize, y: usize| rgb[3 * (y * 16 + x)] == 0;
        // Upright at the left, foot at the bottom, nothing at the upper right.
        assert!(dark(4, 2) && dark(4, 8) && dark(12, 12), "{rgb:?}");
        assert!(!dark(13, 2));
    }
}
