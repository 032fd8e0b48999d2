//! Ctrl-C.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::output;

/// Exit code of a program ended by Ctrl-C.
pub const EXIT_CODE: i32 = 130;

/// Set by the first Ctrl-C in a command that stops by itself.
static STOP: AtomicBool = AtomicBool::new(false);

/// Whether the command stops by itself.
static GRACEFUL: AtomicBool = AtomicBool::new(false);

/// Ends the program on Ctrl-C, at once, with no half-written file left behind.
pub fn handle() {
    let handler = || {
        if GRACEFUL.load(Ordering::SeqCst) && !STOP.swap(true, Ordering::SeqCst) {
            output::note("stopping after this step; again to stop at once");
            return;
        }
        vitok::files::remove_temporaries();
        std::process::exit(EXIT_CODE)
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        output::error(&format!("cannot catch Ctrl-C: {error}"));
    }
}

/// Set by Ctrl-C once [`request_stop`] was called.
pub fn flag() -> &'static AtomicBool {
    &STOP
}

/// From now on the first Ctrl-C only sets the flag; the second ends the program.
pub fn request_stop() {
    GRACEFUL.store(true, Ordering::SeqCst);
}
