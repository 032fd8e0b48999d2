//! A clip before it is decoded.

use sha2::{Digest, Sha256};

use crate::files::hexadecimal;

/// The bytes of each file of a clip, as they lie on disk.
pub(super) struct EncodedClip(pub(super) Vec<Vec<u8>>);

impl EncodedClip {
    /// SHA-256 of its file; of several files, that of their hashes.
    pub(super) fn digest(&self) -> String {
        let hashes: Vec<_> = self.0.iter().map(Sha256::digest).collect();
        hexadecimal(&match hashes.as_slice() {
            [one] => *one,
            several => Sha256::digest(several.concat()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_count_with_their_number_and_order() {
        let digest = |files: &[&[u8]]| EncodedClip(files.iter().map(|file| file.to_vec()).collect()).digest();
        // Of one file, what sha256sum prints.
        assert!(digest(&[b"abc"]).starts_with("ba7816bf8f01cfea"));
        let all = [
            digest(&[b"a", b"b"]),
            digest(&[b"b", b"a"]),
            digest(&[b"ab"]),
            digest(&[b"a", b"b", b""]),
        ];
        let different: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }
}
