//! Ctrl-C.

use std::sync::atomic::{AtomicBool, Ordering};

/// Exit code of a program ended by Ctrl-C.
pub const EXIT_CODE: u8 = 130;

/// Set by the first Ctrl-C once [`stop_gracefully`] was called.
static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Whether the command stops by itself.
static GRACEFUL: AtomicBool = AtomicBool::new(false);

/// Ends the program on Ctrl-C, at once, with no half-written file left behind. `exit` is the way out,
/// `note` tells the user something.
pub fn handle(exit: fn(u8) -> !, note: fn(&str)) {
    let handler = move || {
        if GRACEFUL.load(Ordering::SeqCst) && !REQUESTED.swap(true, Ordering::SeqCst) {
            note("stopping after this step; again to stop at once");
            return;
        }
        vitok::files::remove_temporaries();
        exit(EXIT_CODE)
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        note(&format!("cannot catch Ctrl-C: {error}"));
    }
}

/// Whether a stop was asked for.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}

/// From now on the first Ctrl-C only asks for a stop; the second ends the program.
pub fn stop_gracefully() {
    GRACEFUL.store(true, Ordering::SeqCst);
}
