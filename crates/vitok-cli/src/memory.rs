//! What the C library's allocator does with memory that is freed.

/// Keeps freed memory for the next operation.
///
/// A network frees and asks for buffers of megabytes in every operation. The C library maps each of
/// them anew, and the system then has to find and clear the pages: a third of a training step (see
/// docs/experiments.md). jemalloc, the usual answer, did worse here than doing nothing.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn keep() {
    /// Bytes asked for at once when the heap grows.
    const GROWTH: i32 = 64 << 20;
    // SAFETY: mallopt may be called at any time before other threads allocate; this is the start of
    // the program. It only sets numbers, and its refusal changes nothing.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_TOP_PAD, GROWTH);
    }
}

/// Other allocators are left as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep() {}
