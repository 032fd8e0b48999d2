//! The one table of initial values.
//!
//! | parameter | starts as |
//! |---|---|
//! | `qkv_proj.weight` | Glorot uniform for each of its three `[C, C]` parts |
//! | `fc1.weight` | Glorot uniform for each of its two `[hidden, C]` parts |
//! | other `[out, in]` weights | Glorot uniform: U(-a, a), a = sqrt(6 / (in + out)) |
//! | norm weights | 1 |
//! | biases | 0 |
//! | `layer_scale.gamma` | the model config's `layer_scale` (v2: 1e-4) |
//!
//! Each parameter draws from its own generator, seeded by (seed, name), so a value depends neither
//! on the device nor on which other parameters exist.

use rand::RngExt;

use crate::rng::generator;

/// The initial value of the parameter `name`, row-major.
pub fn initial_value(name: &str, shape: &[usize], layer_scale: f64, seed: u64) -> Vec<f32> {
    let count = shape.iter().product();
    let constant = if name.ends_with("gamma") {
        layer_scale as f32
    } else if name.ends_with("bias") {
        0.0
    } else if let [rows, inputs] = *shape {
        let parts = match name {
            n if n.ends_with("qkv_proj.weight") => 3,
            n if n.ends_with("fc1.weight") => 2,
            _ => 1,
        };
        return glorot_uniform(name, rows / parts, inputs, count, seed);
    } else {
        1.0
    };
    vec![constant; count]
}

fn glorot_uniform(name: &str, outputs: usize, inputs: usize, count: usize, seed: u64) -> Vec<f32> {
    let mut rng = generator(name, &[seed]);
    let bound = (6.0 / (inputs + outputs) as f64).sqrt() as f32;
    (0..count).map(|_| rng.random_range(-bound..bound)).collect()
}
