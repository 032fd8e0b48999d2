//! The canvas on which the frames of an animation are drawn.

/// RGBA pixels, rows from top to bottom.
#[derive(Clone)]
pub(super) struct Canvas {
    width: usize,
    rgba: Vec<[u8; 4]>,
}

/// A rectangle of the canvas, in pixels.
#[derive(Clone, Copy)]
pub(super) struct Region {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

impl Canvas {
    pub(super) fn new(width: u32, height: u32, color: [u8; 4]) -> Self {
        Self {
            width: width as usize,
            rgba: vec![color; width as usize * height as usize],
        }
    }

    /// The part of a rectangle that lies on the canvas.
    pub(super) fn region(&self, (x, y): (u32, u32), (width, height): (u32, u32)) -> Region {
        let rows = self.rgba.len() / self.width;
        let x = (x as usize).min(self.width);
        let y = (y as usize).min(rows);
        Region {
            x,
            y,
            width: (width as usize).min(self.width - x),
            height: (height as usize).min(rows - y),
        }
    }

    /// Calls `draw` for each pixel of the region, with its column and row there.
    pub(super) fn draw(&mut self, region: Region, mut draw: impl FnMut(&mut [u8; 4], usize, usize)) {
        let rows = self
            .rgba
            .chunks_exact_mut(self.width)
            .skip(region.y)
            .take(region.height);
        for (y, row) in rows.enumerate() {
            for (x, pixel) in row[region.x..][..region.width].iter_mut().enumerate() {
                draw(pixel, x, y);
            }
        }
    }

    /// The pixels of a region, to be put back by [`restore`](Self::restore).
    pub(super) fn copy(&self, region: Region) -> Vec<[u8; 4]> {
        let rows = self.rgba.chunks_exact(self.width).skip(region.y).take(region.height);
        rows.flat_map(|row| &row[region.x..][..region.width]).copied().collect()
    }

    pub(super) fn restore(&mut self, region: Region, pixels: &[[u8; 4]]) {
        self.draw(region, |pixel, x, y| *pixel = pixels[y * region.width + x]);
    }

    /// The canvas as bytes; `opaque` if nothing shows through.
    pub(super) fn shown(&self, opaque: bool) -> Vec<u8> {
        let mut rgba = self.rgba.clone();
        if opaque {
            rgba.iter_mut().for_each(|pixel| pixel[3] = 255);
        }
        rgba.into_flattened()
    }
}

/// A pixel over another, neither multiplied by alpha: Porter and Duff's "over".
pub(super) fn over(above: [u8; 4], below: [u8; 4]) -> [u8; 4] {
    match (above[3], below[3]) {
        (255, _) | (_, 0) => return above,
        (0, _) => return below,
        _ => {}
    }
    let [upper, lower] = [above[3], below[3]].map(u32::from);
    // Both in 255ths of 255.
    let rest = lower * (255 - upper);
    let alpha = upper * 255 + rest;
    let mut result = [0, 0, 0, ((alpha + 127) / 255) as u8];
    for channel in 0..3 {
        let sum = u32::from(above[channel]) * upper * 255 + u32::from(below[channel]) * rest;
        result[channel] = ((sum + alpha / 2) / alpha) as u8;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_mixes_by_both_alphas() {
        // Half of blue over red; over nothing it stays what it is.
        assert_eq!(over([0, 0, 255, 128], [255, 0, 0, 255]), [127, 0, 128, 255]);
        assert_eq!(over([0, 0, 255, 128], [9, 9, 9, 0]), [0, 0, 255, 128]);
        // 128 and 127 of what is left: 192 in all, two thirds of it above.
        assert_eq!(over([255, 0, 0, 128], [0, 255, 0, 128]), [170, 85, 0, 192]);
        for below in [[1, 2, 3, 0], [1, 2, 3, 77], [1, 2, 3, 255]] {
            assert_eq!(over([5, 6, 7, 255], below), [5, 6, 7, 255]);
            assert_eq!(
                over([5, 6, 7, 0], below),
                if below[3] == 0 { [5, 6, 7, 0] } else { below }
            );
        }
    }

    #[test]
    fn regions_end_at_the_canvas() {
        let mut canvas = Canvas::new(3, 2, [0; 4]);
        let region = canvas.region((2, 1), (5, 5));
        canvas.draw(region, |pixel, x, y| *pixel = [x as u8 + 1, y as u8 + 1, 0, 255]);
        let mut expected = [[0u8; 4]; 6];
        expected[5] = [1, 1, 0, 255];
        assert_eq!(canvas.shown(false), expected.concat());
        assert!(canvas.copy(canvas.region((9, 0), (1, 1))).is_empty());
    }
}
