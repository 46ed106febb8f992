//! Recording: what drives the agent's decisions, on disk, to be looked at and replayed later.
//!
//! Owns the format (`docs/recording.md` has its grammar), the files and the thread that writes them. May know the domain,
//! the configuration and, to name attachments, `select`. Must never disturb the agent: nothing here waits for a disk on the
//! agent's thread, what does not fit is dropped and counted, and a disk that fails is told of once.
//!
//! | file | its one idea |
//! |---|---|
//! | `line`, `sample_line` | one line of the format, to text and back |
//! | `head` | what a recording begins with: site, uplinks, classes |
//! | `attachment` | what the kernel offers for an uplink, in a word |
//! | `batch` | a minute of lines that can be read without those before them |
//! | `member` | a batch as gzip member that tells its own size |
//! | `rotation` | two files of bounded size |
//! | `writer`, `recorder` | the thread that writes, and the agent's end of the channel to it |
//! | `reader` | files back to entries, torn ones and hostile ones too |
//! | `entry` | what readers get |
//! | `fault` | what is wrong with a recording |
//! | `dating` | wall time of what carries time since boot |

mod attachment;
mod batch;
mod dating;
mod entry;
mod fault;
mod head;
mod line;
mod member;
mod reader;
mod recorder;
mod rotation;
mod sample_line;
#[cfg(test)]
pub(crate) mod script;
mod writer;

#[cfg(test)]
mod tests;

pub use attachment::Attached;
pub use dating::Dating;
pub use entry::{Entry, RecordedSample};
pub use fault::{Faults, ReadError};
pub use head::{ClassHead, Head, Header, UplinkHead};
pub use reader::{read, read_from};
pub use recorder::{Recorder, start};

/// Version of the format that is written, and the newest that is read.
pub const VERSION: u32 = 1;
