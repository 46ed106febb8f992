//! A path with what decisions are made from: worked out once after each change, however many decisions ask for it. A class
//! is decided at every sample of any of its paths, and the others have not changed.

use std::{
    cell::OnceCell,
    ops::{Deref, DerefMut},
};

use crate::{
    quality::PathQuality,
    select::{PathInput, Unattached},
};

/// A path. Whoever may change it makes its input be worked out anew.
#[derive(Debug)]
pub struct Path {
    quality: PathQuality,
    input: OnceCell<PathInput>,
}

impl Path {
    /// What a decision is made from, for an uplink that is attached or, for that reason, is not.
    pub fn input(&self, unattached: Option<Unattached>) -> PathInput {
        let known = self.input.get_or_init(|| PathInput::new(&self.quality, None));
        debug_assert_eq!(*known, PathInput::new(&self.quality, None), "what changed was not noticed");
        PathInput { unattached, ..known.clone() }
    }
}

impl From<PathQuality> for Path {
    fn from(quality: PathQuality) -> Self {
        Self { quality, input: OnceCell::new() }
    }
}

impl Deref for Path {
    type Target = PathQuality;

    fn deref(&self) -> &PathQuality {
        &self.quality
    }
}

impl DerefMut for Path {
    fn deref_mut(&mut self) -> &mut PathQuality {
        self.input.take();
        &mut self.quality
    }
}
