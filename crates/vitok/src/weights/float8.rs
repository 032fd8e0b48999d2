//! Floats of 8 bits, as values.

/// A format of 8 bits: a sign, an exponent, a mantissa.
pub(super) struct Format {
    mantissa_bits: u32,
    bias: i32,
    /// What codes stand for no number.
    special: Special,
}

enum Special {
    /// The largest exponent: infinity where the mantissa is 0, else NaN (as in IEEE 754).
    Infinity,
    /// NaN where all bits but the sign are 1.
    AllOnes,
    /// NaN in the place of -0.
    MinusZero,
}

/// 4 bits of exponent (Micikevicius et al., "FP8 Formats for Deep Learning", 2022).
pub(super) const E4M3: Format = format(3, 7, Special::AllOnes);
/// 5 bits of exponent (the same).
pub(super) const E5M2: Format = format(2, 15, Special::Infinity);
/// 4 bits of exponent, finite, one zero (Noune et al., "8-bit Numerical Formats for Deep Neural Networks", 2022).
pub(super) const E4M3_FNUZ: Format = format(3, 8, Special::MinusZero);
/// 5 bits of exponent, finite, one zero (the same).
pub(super) const E5M2_FNUZ: Format = format(2, 16, Special::MinusZero);

const fn format(mantissa_bits: u32, bias: i32, special: Special) -> Format {
    Format {
        mantissa_bits,
        bias,
        special,
    }
}

impl Format {
    /// The value of a code.
    pub(super) fn value(&self, code: u8) -> f32 {
        let magnitude = code & 0x7f;
        let exponent = i32::from(magnitude >> self.mantissa_bits);
        let ones = (1u8 << self.mantissa_bits) - 1;
        let mantissa = magnitude & ones;
        match self.special {
            Special::MinusZero if code == 0x80 => return f32::NAN,
            Special::AllOnes if magnitude == 0x7f => return f32::NAN,
            Special::Infinity if magnitude == 0x7f & !ones => return f32::INFINITY.copysign(sign(code)),
            Special::Infinity if magnitude > 0x7f & !ones => return f32::NAN,
            _ => {}
        }
        // Numbers with the exponent 0 have no leading 1, and are as fine as those with the exponent 1.
        let leading = f32::from(u8::from(exponent > 0));
        let fraction = f32::from(mantissa) / f32::from(1u8 << self.mantissa_bits);
        sign(code) * (leading + fraction) * 2f32.powi(exponent.max(1) - self.bias)
    }
}

fn sign(code: u8) -> f32 {
    if code & 0x80 == 0 { 1.0 } else { -1.0 }
}

/// The value of a code that is an exponent alone (OCP Microscaling Formats 1.0, E8M0); 255 is NaN.
pub(super) fn power_of_2(code: u8) -> f32 {
    match code {
        255 => f32::NAN,
        // The least is below f32's normal numbers.
        _ => 2f64.powi(i32::from(code) - 127) as f32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest, least normal and least numbers, and what is none, as the papers have them.
    #[test]
    fn codes_have_the_published_values() {
        for (format, largest, code, least_normal, normal_code, least) in [
            (E4M3, 448.0, 0x7e, 2f32.powi(-6), 0x08, 2f32.powi(-9)),
            (E5M2, 57344.0, 0x7b, 2f32.powi(-14), 0x04, 2f32.powi(-16)),
            (E4M3_FNUZ, 240.0, 0x7f, 2f32.powi(-7), 0x08, 2f32.powi(-10)),
            (E5M2_FNUZ, 57344.0, 0x7f, 2f32.powi(-15), 0x04, 2f32.powi(-17)),
        ] {
            assert_eq!(format.value(code), largest);
            assert_eq!(format.value(code | 0x80), -largest);
            assert_eq!(format.value(normal_code), least_normal);
            assert_eq!(format.value(1), least);
            assert_eq!(format.value(0), 0.0);
        }
        assert!(E4M3.value(0x7f).is_nan() && E4M3.value(0xff).is_nan());
        assert_eq!(E5M2.value(0x7c), f32::INFINITY);
        assert_eq!(E5M2.value(0xfc), f32::NEG_INFINITY);
        assert!(E5M2.value(0x7d).is_nan());
        assert!(E4M3_FNUZ.value(0x80).is_nan() && E5M2_FNUZ.value(0x80).is_nan());
        assert_eq!(power_of_2(127), 1.0);
        assert_eq!(power_of_2(254), 2f32.powi(127));
        assert!(power_of_2(0) > 0.0 && power_of_2(255).is_nan());
    }
}
