//! The activation functions that follow convolutions.

/// An activation function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// x.
    None,
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), 6).
    Relu6,
}

impl Activation {
    /// The function of each value plus `bias`, in place.
    #[inline(always)]
    pub fn add_bias_and_apply(self, values: &mut [f32], bias: f32) {
        // Comparisons that let a NaN through.
        let positive = |x: f32| if x < 0.0 { 0.0 } else { x };
        match self {
            Activation::None => values.iter_mut().for_each(|v| *v += bias),
            Activation::Relu => values.iter_mut().for_each(|v| *v = positive(*v + bias)),
            Activation::Relu6 => values.iter_mut().for_each(|v| {
                let x = positive(*v + bias);
                *v = if x > 6.0 { 6.0 } else { x };
            }),
        }
    }
}
