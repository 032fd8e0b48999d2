//! Stands in for `cubecl-llvm`, so that the CUDA back end builds where LLVM cannot be fetched.
//!
//! `cubecl-cuda` knows two ways from a kernel to the GPU: writing CUDA C++ for NVRTC, the run-time
//! compiler of the CUDA toolkit, or lowering it with LLVM. Its feature `cpp` chooses the first, but
//! both are always compiled, and the build script of the real `cubecl-llvm` downloads LLVM itself.
//! vitok's feature `cuda` sets `cpp`, so the names `cubecl-cuda` calls only have to exist. They are
//! here, under `[patch.crates-io]`; there is no compiler behind them.
//!
//! In a build without `cpp` the CUDA device refuses to open: [`restrict_features`], its first call
//! into this crate, panics with [`NO_LLVM`], and [`PlironCompiler`] answers every kernel with the
//! same words. A module of LLVM's has no values here, so none can be passed off as compiled.
//!
//! [`restrict_features`]: shared::lowered_features::restrict_features

use std::fmt;

use cubecl_core::{ir::nvidia::SmArch, prelude::KernelDefinition};
use cubecl_server::compiler::{CompilationError, Compiler};
use cubecl_server::kernel::BufferIOAttr;

use nvptx::ptx_version::PtxVersion;

/// What is said wherever LLVM is asked for.
pub const NO_LLVM: &str = "this build has no LLVM: CUDA kernels go through NVRTC, which the \
    feature `cpp` of cubecl-cuda chooses";

pub mod nvptx {
    pub mod ptx_version {
        /// A version for LLVM to emit; NVRTC chooses its own, so there is none.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum PtxVersion {}

        impl PtxVersion {
            pub fn for_driver(_driver: i32) -> Option<Self> {
                None
            }
        }

        impl std::fmt::Display for PtxVersion {
            fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match *self {}
            }
        }
    }
}

pub mod shared {
    pub mod lowered_features {
        #[derive(Clone, Copy, Debug)]
        pub enum GpuTarget {
            Nvptx,
        }

        /// Called as a device opens, if LLVM is to compile for it.
        pub fn restrict_features<Properties>(_: &mut Properties, _: GpuTarget) {
            panic!("{}", crate::NO_LLVM)
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub enum LlvmTarget {
    Nvptx,
}

#[derive(Clone, Debug, Default)]
pub struct PlironOptions {
    pub arch: Option<()>,
    pub sm_arch: Option<SmArch>,
    pub ptx_version: Option<PtxVersion>,
    pub grid_constants: bool,
}

/// Cannot be made: one field has no values.
#[derive(Clone, Debug)]
pub struct NvptxModule {
    pub ptx: Vec<std::ffi::c_char>,
    pub ir: String,
    pub shared_memory_size: usize,
    pub io: Vec<BufferIOAttr>,
    pub never: std::convert::Infallible,
}

#[derive(Clone, Debug)]
pub enum PlironArtifact {
    NvptxCode(NvptxModule),
}

impl fmt::Display for PlironArtifact {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::NvptxCode(module) = self;
        match module.never {}
    }
}

#[derive(Clone, Debug)]
pub struct PlironCompiler {
    pub target: LlvmTarget,
}

impl Compiler for PlironCompiler {
    type Representation = PlironArtifact;
    type CompilationOptions = PlironOptions;

    fn compile(
        &mut self,
        _: KernelDefinition,
        _: &PlironOptions,
    ) -> Result<PlironArtifact, CompilationError> {
        Err(CompilationError::Generic {
            reason: NO_LLVM.into(),
            backtrace: Default::default(),
        })
    }

    fn extension(&self) -> &'static str {
        "ll"
    }

    fn lang_tag(&self) -> &'static str {
        "llvm"
    }
}
