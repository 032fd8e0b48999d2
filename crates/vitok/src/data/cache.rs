//! Decoded clips kept in memory for the next epoch.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::media::Clip;

/// Clips by (dataset, sample), as many as fit; none is ever dropped for another, since in a shuffled epoch every sample
/// is as likely to come next.
#[derive(Debug)]
pub(super) struct ClipCache {
    max_bytes: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    clips: HashMap<(usize, usize), Arc<Clip>>,
    bytes: usize,
}

impl ClipCache {
    /// An empty cache for `max_bytes` of pixels.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            state: Mutex::default(),
        }
    }

    /// The clip of `key`, if it is kept.
    pub fn get(&self, key: (usize, usize)) -> Option<Arc<Clip>> {
        self.lock().clips.get(&key).cloned()
    }

    /// Keeps a clip if there is room.
    pub fn insert(&self, key: (usize, usize), clip: &Arc<Clip>) {
        let mut state = self.lock();
        let bytes = clip.shape().values();
        if state.bytes + bytes <= self.max_bytes && state.clips.insert(key, clip.clone()).is_none() {
            state.bytes += bytes;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
