//! The parameters of a transformer block, each a `T`: a tensor, the slice of its values, its gradient, its node in the
//! autodiff graph. Fields are named as those of the modules, and thus as in weight files.
//!
//! The methods visit parameters in the order in which the fields are declared. A parameter that a block does not have is
//! `None`, whatever `T` is.

use std::convert::Infallible;

/// Weight and bias of a linear layer or a norm.
#[derive(Clone, Copy, Debug)]
pub struct WeightBias<T> {
    /// `[out, in]` of a linear layer, `[C]` of a norm.
    pub weight: T,
    /// `[out]` or `[C]`.
    pub bias: Option<T>,
}

/// Parameters of self-attention.
#[derive(Clone, Copy, Debug)]
pub struct AttentionParams<T> {
    /// `[head_dim]`: weight of the RMSNorm of queries.
    pub norm_q: Option<T>,
    /// `[head_dim]`: weight of the RMSNorm of keys.
    pub norm_k: Option<T>,
    /// `[3C, C]`: weight of the projection to queries, keys and values.
    pub qkv_proj: T,
    /// `[C, C]`, `[C]`.
    pub out_proj: WeightBias<T>,
}

/// Parameters of the gated MLP.
#[derive(Clone, Copy, Debug)]
pub struct MlpParams<T> {
    /// `[2 * hidden, C]`, `[2 * hidden]`: values, then gates.
    pub fc1: WeightBias<T>,
    /// `[C, hidden]`, `[C]`.
    pub fc2: WeightBias<T>,
}

/// Parameters of a block.
#[derive(Clone, Copy, Debug)]
pub struct BlockParams<T> {
    /// The norm before attention; LayerNorm if it has a bias, RMSNorm if it has none.
    pub norm1: WeightBias<T>,
    /// Attention.
    pub attn: AttentionParams<T>,
    /// The norm before the MLP; sequential blocks only.
    pub norm2: Option<WeightBias<T>>,
    /// The MLP.
    pub ffn: MlpParams<T>,
    /// `[C]`: gamma, the scale of the branches; parallel blocks only.
    pub layer_scale: Option<T>,
}

impl<T> BlockParams<T> {
    /// The same parameters by reference.
    pub fn as_ref(&self) -> BlockParams<&T> {
        BlockParams {
            norm1: self.norm1.as_ref(),
            attn: self.attn.as_ref(),
            norm2: self.norm2.as_ref().map(WeightBias::as_ref),
            ffn: self.ffn.as_ref(),
            layer_scale: self.layer_scale.as_ref(),
        }
    }

    /// `f` of every parameter.
    ///
    /// # Errors
    /// The first error of `f`.
    pub fn try_map<U, E>(self, mut f: impl FnMut(T) -> Result<U, E>) -> Result<BlockParams<U>, E> {
        let f = &mut f;
        Ok(BlockParams {
            norm1: self.norm1.try_map(f)?,
            attn: self.attn.try_map(f)?,
            norm2: self.norm2.map(|norm2| norm2.try_map(f)).transpose()?,
            ffn: self.ffn.try_map(f)?,
            layer_scale: self.layer_scale.map(f).transpose()?,
        })
    }

    /// `f` of every parameter.
    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> BlockParams<U> {
        let Ok(mapped) = self.try_map(|param| Ok::<_, Infallible>(f(param)));
        mapped
    }

    /// Every parameter beside that of the same name of `other`.
    ///
    /// # Panics
    /// If one of them has a parameter that the other does not have.
    pub fn zip<U>(self, other: BlockParams<U>) -> BlockParams<(T, U)> {
        BlockParams {
            norm1: self.norm1.zip(other.norm1),
            attn: self.attn.zip(other.attn),
            norm2: zip_options(self.norm2, other.norm2).map(|(a, b)| a.zip(b)),
            ffn: self.ffn.zip(other.ffn),
            layer_scale: zip_options(self.layer_scale, other.layer_scale),
        }
    }

    /// The parameters in a list.
    pub fn into_vec(self) -> Vec<T> {
        let mut list = Vec::new();
        self.map(|param| list.push(param));
        list
    }
}

impl<T> AttentionParams<T> {
    fn as_ref(&self) -> AttentionParams<&T> {
        AttentionParams {
            norm_q: self.norm_q.as_ref(),
            norm_k: self.norm_k.as_ref(),
            qkv_proj: &self.qkv_proj,
            out_proj: self.out_proj.as_ref(),
        }
    }

    fn try_map<U, E>(self, f: &mut impl FnMut(T) -> Result<U, E>) -> Result<AttentionParams<U>, E> {
        Ok(AttentionParams {
            norm_q: self.norm_q.map(&mut *f).transpose()?,
            norm_k: self.norm_k.map(&mut *f).transpose()?,
            qkv_proj: f(self.qkv_proj)?,
            out_proj: self.out_proj.try_map(f)?,
        })
    }

    fn zip<U>(self, other: AttentionParams<U>) -> AttentionParams<(T, U)> {
        AttentionParams {
            norm_q: zip_options(self.norm_q, other.norm_q),
            norm_k: zip_options(self.norm_k, other.norm_k),
            qkv_proj: (self.qkv_proj, other.qkv_proj),
            out_proj: self.out_proj.zip(other.out_proj),
        }
    }
}

impl<T> MlpParams<T> {
    fn as_ref(&self) -> MlpParams<&T> {
        MlpParams {
            fc1: self.fc1.as_ref(),
            fc2: self.fc2.as_ref(),
        }
    }

    fn try_map<U, E>(self, f: &mut impl FnMut(T) -> Result<U, E>) -> Result<MlpParams<U>, E> {
        Ok(MlpParams {
            fc1: self.fc1.try_map(f)?,
            fc2: self.fc2.try_map(f)?,
        })
    }

    fn zip<U>(self, other: MlpParams<U>) -> MlpParams<(T, U)> {
        MlpParams {
            fc1: self.fc1.zip(other.fc1),
            fc2: self.fc2.zip(other.fc2),
        }
    }
}

impl<T> WeightBias<T> {
    fn as_ref(&self) -> WeightBias<&T> {
        WeightBias {
            weight: &self.weight,
            bias: self.bias.as_ref(),
        }
    }

    fn try_map<U, E>(self, f: &mut impl FnMut(T) -> Result<U, E>) -> Result<WeightBias<U>, E> {
        Ok(WeightBias {
            weight: f(self.weight)?,
            bias: self.bias.map(f).transpose()?,
        })
    }

    fn zip<U>(self, other: WeightBias<U>) -> WeightBias<(T, U)> {
        WeightBias {
            weight: (self.weight, other.weight),
            bias: zip_options(self.bias, other.bias),
        }
    }
}

fn zip_options<T, U>(a: Option<T>, b: Option<U>) -> Option<(T, U)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a, b)),
        (None, None) => None,
        _ => panic!("only one of two sets of block parameters has a parameter"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sequential block's parameters, numbered in order.
    fn sequential() -> BlockParams<usize> {
        let pair = |first| WeightBias {
            weight: first,
            bias: Some(first + 1),
        };
        BlockParams {
            norm1: pair(0),
            attn: AttentionParams {
                norm_q: None,
                norm_k: None,
                qkv_proj: 2,
                out_proj: pair(3),
            },
            norm2: Some(pair(5)),
            ffn: MlpParams {
                fc1: pair(7),
                fc2: pair(9),
            },
            layer_scale: None,
        }
    }

    #[test]
    fn every_method_visits_parameters_in_one_order() {
        assert!(sequential().into_vec().into_iter().eq(0..11));
        let mut next = 0..;
        let counted = sequential().map(|_| next.next());
        for (param, count) in sequential().as_ref().zip(counted).into_vec() {
            assert_eq!(Some(*param), count);
        }
        let outcome = sequential().try_map(|param| if param < 7 { Ok(param) } else { Err(param) });
        assert_eq!(outcome.err(), Some(7));
    }

    #[test]
    #[should_panic(expected = "only one")]
    fn parameters_of_other_blocks_are_not_zipped() {
        let mut other = sequential();
        other.ffn.fc1.bias = None;
        sequential().zip(other);
    }
}
