//! Stands in for `cubecl-llvm`, so that the CUDA back end builds where LLVM cannot be fetched.
//!
//! cubecl's CUDA back end can turn kernels into machine code in two ways: through CUDA C++ and the
//! driver's own NVRTC, or through LLVM. It compiles both, and the build script of the LLVM half
//! downloads an LLVM bundle of hundreds of megabytes. vitok uses NVRTC (`cubecl-cuda`'s feature
//! `cpp`), so the LLVM half only has to exist. This crate has the names it is called by; if one
//! were ever reached, [`PlironCompiler::compile`] answers with an error that says so. It is patched
//! in for the feature `cuda` alone: the default build contains none of cubecl's compilers.

/// Versions of PTX.
pub mod nvptx {
    /// The version of PTX.
    pub mod ptx_version {
        /// Never made: NVRTC chooses its own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct PtxVersion;

        impl PtxVersion {
            /// None for every driver.
            pub fn for_driver(_driver: i32) -> Option<Self> {
                None
            }
        }

        impl core::fmt::Display for PtxVersion {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("none")
            }
        }
    }
}

/// Narrowing what a device offers.
pub mod shared {
    /// Narrowing what a device offers to what LLVM can compile.
    pub mod lowered_features {
        use cubecl_core::ir::DeviceProperties;

        /// The kind of device.
        pub enum GpuTarget {
            /// NVIDIA's.
            Nvptx,
        }

        /// Takes nothing away: only called where LLVM is the compiler.
        pub fn restrict_features(_properties: &mut DeviceProperties, _target: GpuTarget) {}
    }
}

use cubecl_core::ir::nvidia::SmArch;
use cubecl_core::prelude::KernelDefinition;
use cubecl_server::compiler::{CompilationError, Compiler};
use cubecl_server::kernel::BufferIOAttr;

/// What LLVM would compile for.
#[derive(Clone, Copy, Debug)]
pub enum LlvmTarget {
    /// NVIDIA's virtual instructions.
    Nvptx,
}

/// The compiler that is not there.
#[derive(Clone, Debug)]
pub struct PlironCompiler {
    /// What it would compile for.
    pub target: LlvmTarget,
}

/// Its options.
#[derive(Clone, Debug, Default)]
pub struct PlironOptions {
    /// Not used.
    pub arch: Option<()>,
    /// Not used.
    pub sm_arch: Option<SmArch>,
    /// Not used.
    pub ptx_version: Option<nvptx::ptx_version::PtxVersion>,
    /// Not used.
    pub grid_constants: bool,
    /// Lets callers leave the rest to `Default`.
    pub rest: (),
}

/// Its result.
#[derive(Clone, Debug)]
pub enum PlironArtifact {
    /// A PTX module.
    NvptxCode(NvptxModule),
    /// Anything else; never made either.
    Other,
}

/// A PTX module; never made.
#[derive(Clone, Debug)]
pub struct NvptxModule {
    /// The code.
    pub ptx: Vec<core::ffi::c_char>,
    /// Its entry point.
    pub entrypoint: String,
    /// Its source.
    pub ir: String,
    /// Shared memory of a launch, in bytes.
    pub shared_memory_size: usize,
    /// What it does with its buffers.
    pub io: Vec<BufferIOAttr>,
}

impl core::fmt::Display for PlironArtifact {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("no LLVM in this build")
    }
}

impl Compiler for PlironCompiler {
    type Representation = PlironArtifact;
    type CompilationOptions = PlironOptions;

    fn compile(
        &mut self,
        _kernel: KernelDefinition,
        _options: &PlironOptions,
    ) -> Result<PlironArtifact, CompilationError> {
        Err(CompilationError::Generic {
            reason: "this build of vitok has no LLVM: CUDA kernels must go through NVRTC \
                     (feature `cpp` of cubecl-cuda)"
                .into(),
            backtrace: Default::default(),
        })
    }

    fn extension(&self) -> &'static str {
        "none"
    }

    fn lang_tag(&self) -> &'static str {
        "none"
    }
}
