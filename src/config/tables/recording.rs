//! `[recording]`.

use std::path::Path;

use crate::config::{
    defaults,
    model::Recording,
    reader::Section,
    values::{number, path},
};

pub(super) fn read(mut section: Section<'_>, base: &Path) -> Option<Recording> {
    let file = section.require("file", "\"/var/lib/peerward/samples.pwr.gz\"", path(base));
    let bytes = number(65_536..=1_073_741_824_u64);
    let max_bytes = section.setting("max_bytes", defaults::RECORDING_BYTES, bytes);
    section.finish();
    Some(Recording { file: file?.value, max_bytes: max_bytes.value })
}
