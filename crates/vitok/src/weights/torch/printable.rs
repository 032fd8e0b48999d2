//! Names out of files that may be hostile, as they may stand in a message.

/// Printable ASCII of `text`, 100 characters at most.
pub(super) fn printable(text: &str) -> String {
    const MAX_LENGTH: usize = 100;
    let plain = text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ');
    plain.take(MAX_LENGTH).collect()
}
