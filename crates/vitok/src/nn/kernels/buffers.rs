//! New buffers, filled on all cores: at the sizes of a training step, filling them on one core would keep the others
//! waiting for a twentieth of the time.

use std::mem::MaybeUninit;

use rayon::prelude::*;

/// Values that a core fills at once.
const CHUNK: usize = 1 << 16;

/// `count` zeros.
pub fn zeros(count: usize) -> Vec<f32> {
    filled(count, |_, chunk| {
        chunk.fill(MaybeUninit::new(0.0));
    })
}

/// A copy of `values`.
pub fn copied(values: &[f32]) -> Vec<f32> {
    filled(values.len(), |start, chunk| {
        chunk.write_copy_of_slice(&values[start..start + chunk.len()]);
    })
}

/// `count` values, written by `fill(index of the chunk's first value, chunk)`, which must write all of every chunk.
fn filled(count: usize, fill: impl Fn(usize, &mut [MaybeUninit<f32>]) + Sync) -> Vec<f32> {
    let mut values = Vec::with_capacity(count);
    let spare = &mut values.spare_capacity_mut()[..count];
    let chunks = spare.par_chunks_mut(CHUNK).enumerate();
    chunks.for_each(|(i, chunk)| fill(i * CHUNK, chunk));
    // SAFETY: the chunks are the first `count` values, and both callers have written every one.
    unsafe { values.set_len(count) };
    values
}
