//! The right to make namespaces: as root, or as anyone through a user namespace.

use std::{fs, io};

use rustix::thread::CapabilitySet;

use crate::{LabError, syscalls};

/// Makes sure that this process may create network namespaces and interfaces in them.
///
/// Call it first in `main`: a process can enter a user namespace only while it has one thread. With CAP_NET_ADMIN
/// and CAP_SYS_ADMIN it does nothing; otherwise the process becomes root of a user namespace of its own.
///
/// # Errors
/// When it has neither the capabilities nor the right to create a user namespace; says what to change.
pub fn enter() -> Result<(), LabError> {
    if has_capabilities() {
        return Ok(());
    }
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    syscalls::unshare_user().map_err(|source| refused(source, "create a user namespace"))?;
    // Since Linux 3.19 a gid map may be written without privilege only after setgroups was given up.
    let maps = [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/uid_map", format!("0 {uid} 1")),
        ("/proc/self/gid_map", format!("0 {gid} 1")),
    ];
    for (path, text) in maps {
        fs::write(path, text)
            .map_err(|source| refused(source, &format!("write {path} of the new user namespace")))?;
    }
    Ok(())
}

/// Programs that the calling thread executes from now on get no capability.
pub(crate) fn empty_bounding_set() -> io::Result<()> {
    for capability in CapabilitySet::all().iter() {
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            // The kernel is older than this capability.
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn has_capabilities() -> bool {
    let needed = CapabilitySet::NET_ADMIN | CapabilitySet::SYS_ADMIN;
    rustix::process::geteuid().is_root()
        && rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(needed))
}

fn refused(source: io::Error, what: &str) -> LabError {
    LabError::Privilege { what: what.to_owned(), source, advice: advice() }
}

/// Names the switch that stands in the way, as far as the kernel shows it.
fn advice() -> String {
    let read = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let mut found = Vec::new();
    if read("/proc/sys/user/max_user_namespaces").as_deref() == Some("0") {
        found.push("sysctl user.max_user_namespaces is 0: raise it");
    }
    if read("/proc/sys/kernel/unprivileged_userns_clone").as_deref() == Some("0") {
        found.push("sysctl kernel.unprivileged_userns_clone is 0: set it to 1");
    }
    if read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").as_deref() == Some("1") {
        found.push("sysctl kernel.apparmor_restrict_unprivileged_userns is 1: set it to 0");
    }
    if threads() > 1 {
        found.push("the process has several threads: call enter() first in main");
    }
    if found.is_empty() {
        found.push("the kernel has no user namespaces, or a sandbox (seccomp, container) forbids them");
    }
    format!("{}; or run as root with CAP_NET_ADMIN and CAP_SYS_ADMIN", found.join("; "))
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(1, Iterator::count)
}
