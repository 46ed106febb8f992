//! `[control]`.

use std::path::PathBuf;

use crate::config::{defaults, finding::Wrong, model::Control, reader::Section, suggestion::quoted, values::text};

pub(super) fn read(mut section: Section<'_>) -> Control {
    let socket = section.setting("socket", PathBuf::from(defaults::SOCKET), |item| {
        let written = text(item)?;
        let path = PathBuf::from(&written);
        // sockaddr_un holds 108 bytes with the closing zero.
        if path.is_absolute() && written.len() < 108 && !written.ends_with('/') {
            Ok(path)
        } else {
            Err(Wrong::new(
                format!("{} cannot be the path of a socket", quoted(&written)),
                format!("use an absolute path of at most 107 bytes, such as \"{}\"", defaults::SOCKET),
            ))
        }
    });
    section.finish();
    Control { socket: socket.value }
}
