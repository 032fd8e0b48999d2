//! What the C library's allocator does with memory that is freed.

/// Keeps freed memory for the next operation.
///
/// A network frees and asks for buffers of megabytes in every operation. The C library maps each of
/// them anew, and the system then has to find and clear the pages: a third of a training step (see
/// docs/experiments.md). jemalloc, the usual answer, did worse here than doing nothing.
#[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
pub fn keep() {
    /// As a number without sign, more than there can be.
    const NEVER: i32 = -1;
    /// Bytes asked for at once when the heap grows.
    const GROWTH: i32 = 64 << 20;
    /// Bytes of the heap that may be in huge pages. Only addresses: pages come when they are used.
    const HUGE: usize = 16 << 30;
    // SAFETY: mallopt may be called at any time before other threads allocate; this is the start of
    // the program. It only sets numbers, and its refusal changes nothing.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, NEVER);
        libc::mallopt(libc::M_TOP_PAD, GROWTH);
    }
    // Where the system gives huge pages to those who ask, ask, for what the heap will grow into: it
    // has that once it was allocated and freed. Steps of small models take a tenth less time.
    // SAFETY: the range is ours until it is freed, and the advice changes no value in it. The advice
    // may be refused, and the memory too.
    unsafe {
        let heap = libc::malloc(HUGE);
        if !heap.is_null() {
            let page = libc::sysconf(libc::_SC_PAGESIZE).max(1) as usize;
            let before_page = heap.align_offset(page);
            let from = heap.byte_add(before_page);
            libc::madvise(from, HUGE - page, libc::MADV_HUGEPAGE);
            libc::free(heap);
        }
    }
}

/// Other allocators are left as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64")))]
pub fn keep() {}
