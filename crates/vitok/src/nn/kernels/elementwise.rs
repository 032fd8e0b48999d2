//! Loops over the rows of a panel, written so that the compiler vectorizes them. A lane is one of a row's [`TILE`]
//! values: that of a token, or an unused one past the last token of a sequence.

use super::gemm::TILE;

/// One feature of all tokens of a panel.
pub type Row = [f32; TILE];

/// The rows of a panel.
#[inline(always)]
pub fn rows(values: &[f32]) -> &[Row] {
    values.as_chunks().0
}

/// The rows of a panel, to be written.
#[inline(always)]
pub fn rows_mut(values: &mut [f32]) -> &mut [Row] {
    values.as_chunks_mut().0
}

/// For each lane the sum over rows of `f(lane, value)`.
#[inline(always)]
pub fn sum_rows(rows: &[Row], f: impl Fn(usize, f32) -> f32) -> Row {
    let mut sum = [0.0; TILE];
    for row in rows {
        for (lane, (sum, value)) in sum.iter_mut().zip(row).enumerate() {
            *sum += f(lane, *value);
        }
    }
    sum
}

/// `to[c][r] = from[r][c]`, for `rows` rows and `columns` columns of `from`. Rows of `from` are `from_stride` values
/// apart, those of `to` are `to_stride`.
#[inline(always)]
pub fn transpose(from: &[f32], from_stride: usize, to: &mut [f32], to_stride: usize, rows: usize, columns: usize) {
    /// A square that stays in the first-level cache.
    const SQUARE: usize = 16;
    for r in (0..rows).step_by(SQUARE) {
        for c in (0..columns).step_by(SQUARE) {
            if r + SQUARE <= rows && c + SQUARE <= columns {
                let mut square = [[0f32; SQUARE]; SQUARE];
                for (i, line) in square.iter_mut().enumerate() {
                    line.copy_from_slice(&from[(r + i) * from_stride + c..][..SQUARE]);
                }
                for i in 0..SQUARE {
                    let line: [f32; SQUARE] = std::array::from_fn(|j| square[j][i]);
                    to[(c + i) * to_stride + r..][..SQUARE].copy_from_slice(&line);
                }
            } else {
                for i in r..rows.min(r + SQUARE) {
                    for j in c..columns.min(c + SQUARE) {
                        to[j * to_stride + i] = from[i * from_stride + j];
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposing_loses_nothing() {
        for (rows, columns) in [(1, 1), (16, 16), (17, 40), (64, 30)] {
            let from: Vec<f32> = (0..rows * 70).map(|i| i as f32).collect();
            let mut to = vec![0.0; columns * 70];
            transpose(&from, 70, &mut to, 70, rows, columns);
            let all = (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c)));
            for (r, c) in all {
                assert_eq!(to[c * 70 + r], from[r * 70 + c]);
            }
        }
    }
}
