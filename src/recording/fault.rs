//! What is wrong with a recording: what it can be read in spite of, and what it cannot.

use std::{io, path::PathBuf};

use super::VERSION;

/// Most bytes of lines in a head: hundreds of classes with all their targets.
pub(super) const LARGEST_HEAD: usize = 8 * 1024 * 1024;

/// What is wrong with a recording that could be read nevertheless.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// Files whose end is torn, and how.
    pub torn: Vec<(PathBuf, String)>,
    /// Lines that are none of the format, or name what the head does not have.
    pub unreadable: u64,
    /// Lines that the agent could not write.
    pub dropped: u64,
}

impl Faults {
    /// Each in a sentence.
    pub fn in_words(&self) -> Vec<String> {
        let torn = self.torn.iter().map(|(file, why)| {
            format!("the end of {} is torn ({why}): what was written last is missing", file.display())
        });
        let counted = [
            (self.unreadable, "lines could not be read"),
            (self.dropped, "lines are missing: the disk or the writer did not keep up"),
        ];
        let counted = counted.into_iter().filter(|(count, _)| *count > 0);
        torn.chain(counted.map(|(count, what)| format!("{count} {what}"))).collect()
    }
}

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read at all.
    #[error("cannot read {}: {error}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It does not begin as a recording does.
    #[error("{} is no recording of peerward: it does not begin with a header", file.display())]
    NoRecording {
        /// The file.
        file: PathBuf,
    },
    /// It was written by a later version.
    #[error("{} has version {version} of the format, and this program reads up to {VERSION}: use a newer one", file.display())]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its version.
        version: u32,
    },
    /// Its head is larger than any, or those of all runs together are.
    #[error("the head of a run in {} is larger than any that this program writes", file.display())]
    LargeHead {
        /// The file.
        file: PathBuf,
    },
}
