//! Runs code with the widest vectors this machine has: AVX-512, AVX2 with FMA, NEON, or plain scalars.

use std::sync::LazyLock;

use pulp::{Arch, Simd, WithSimd};

static ARCH: LazyLock<Arch> = LazyLock::new(Arch::new);

/// Runs `work`, written with explicit vectors, with this machine's widest.
#[inline(always)]
pub fn dispatch<W: WithSimd>(work: W) -> W::Output {
    ARCH.dispatch(work)
}

/// Runs `work`, whose loops the compiler vectorizes, with this machine's widest vectors. Write `#[inline(always)]`
/// before the closure: what is not inlined is compiled for the narrowest.
#[inline(always)]
pub fn vectorized<R>(work: impl FnMut() -> R) -> R {
    /// Not pulp's implementation for closures: that one takes a `FnOnce`, which is called through a function that may
    /// not be inlined.
    struct Work<F>(F);
    impl<R, F: FnMut() -> R> WithSimd for Work<F> {
        type Output = R;
        #[inline(always)]
        fn with_simd<S: Simd>(mut self, _: S) -> R {
            (self.0)()
        }
    }
    dispatch(Work(work))
}
