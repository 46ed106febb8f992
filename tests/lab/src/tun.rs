//! TUN interfaces: where packets leave the kernel for the path emulator.

use std::{
    fs::{File, OpenOptions},
    io,
    os::{fd::AsFd, unix::fs::OpenOptionsExt},
};

use crate::{LabError, Namespace, syscalls};

const DEVICE: &str = "/dev/net/tun";

/// Makes a TUN interface in a namespace and sets it up. It exists until the file is closed; reads and writes do not
/// block, one packet each.
pub(crate) fn open(namespace: &Namespace, name: &str) -> Result<File, LabError> {
    let file = namespace
        .run(|| {
            // O_NONBLOCK has the same value on all Linux targets that matter here, by libc's definition of each.
            let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(DEVICE)?;
            syscalls::attach_tun(file.as_fd(), name)?;
            Ok(file)
        })
        .map_err(|source| explain(source, name, namespace))?;
    namespace.link(name).up()?;
    Ok(file)
}

fn explain(source: io::Error, name: &str, namespace: &Namespace) -> LabError {
    let advice = match source.kind() {
        io::ErrorKind::NotFound => "load the tun module (modprobe tun), or give the container the device",
        io::ErrorKind::PermissionDenied => "make it readable and writable for this user (chmod 666), or run as root",
        _ => "check that the kernel has CONFIG_TUN",
    };
    LabError::Privilege {
        what: format!("make TUN interface {name} in {} through {DEVICE}", namespace.name()),
        source,
        advice: advice.to_owned(),
    }
}
