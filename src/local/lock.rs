//! One agent a socket: a lock beside it, held as long as the socket, gone with it.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, OFlags, flock};

use super::LocalError;

/// Mode of the socket's folder, when it has to be made.
const FOLDER_MODE: u32 = 0o750;

/// How often a lock that vanished while it was taken is tried again.
const ATTEMPTS: usize = 16;

/// The lock on `PATH.lock`. However the process ends, the kernel releases it. In an orderly end its file goes too, and
/// so does the folder if it was made for it: a command run as root must not leave behind what the agent's own user
/// cannot open.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    made: Option<PathBuf>,
    _file: File,
}

impl Lock {
    /// Takes the lock for a socket, and makes the socket's folder if it is missing.
    pub fn take(socket: &Path) -> Result<Self, LocalError> {
        let mut name = OsString::from(socket);
        name.push(".lock");
        let path = PathBuf::from(name);
        let mut made = None;
        for _ in 0..ATTEMPTS {
            made = made.or(make_folder(socket)?);
            match open(&path) {
                Ok(file) if try_lock(&file, &path, socket)? => return Ok(Self { path, made, _file: file }),
                // Its holder has just removed the file, or the folder with it: the lock taken is nobody's.
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(LocalError::prepare("open", &path)(error)),
            }
        }
        Err(LocalError::Busy(socket.to_owned()))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Still held: whoever waits for it will find it gone, and take a new one. What cannot be removed does no harm.
        let _ = fs::remove_file(&self.path);
        if let Some(folder) = &self.made {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Makes the folder of the socket; tells which, if it was missing.
fn make_folder(socket: &Path) -> Result<Option<PathBuf>, LocalError> {
    let folder = socket.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir());
    let Some(folder) = folder else { return Ok(None) };
    let mut builder = DirBuilder::new();
    builder
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(folder)
        .map_err(LocalError::prepare("make the folder", folder))?;
    Ok(Some(folder.to_owned()))
}

fn open(path: &Path) -> io::Result<File> {
    // A link here would be somebody's trap: nothing but us makes this file.
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).custom_flags(flags).open(path)
}

/// Whether the lock was taken on the file that now has the name.
fn try_lock(file: &File, path: &Path, socket: &Path) -> Result<bool, LocalError> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Err(LocalError::Busy(socket.to_owned())),
        Err(error) => return Err(LocalError::prepare("lock", path)(error.into())),
    }
    let locked = file.metadata().map_err(LocalError::prepare("look at", path))?;
    let named = fs::symlink_metadata(path);
    Ok(named.is_ok_and(|named| (named.dev(), named.ino()) == (locked.dev(), locked.ino())))
}
