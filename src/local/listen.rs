//! Having the socket: one agent at a time, nobody else's file removed, closed to others from its first moment.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
        net::UnixListener,
    },
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, fchmod};
use socket2::{Domain, SockAddr, Socket, Type};

use super::{LocalError, lock::Lock};

/// Mode of the socket: the agent's user and group.
const SOCKET_MODE: u32 = 0o660;

/// Connections that the kernel keeps waiting while all permits are taken.
const BACKLOG: i32 = 64;

/// The listening socket. Its file is removed when this is dropped.
#[derive(Debug)]
pub struct ControlSocket {
    pub(super) listener: UnixListener,
    file: SocketFile,
}

/// The file of a bound socket, ours while the lock is held.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
    // Held until the file is gone.
    _lock: Lock,
}

impl ControlSocket {
    /// Binds it, mode 0660; a stale socket file is replaced, a live agent's is not.
    ///
    /// The lock on `PATH.lock` is held as long as the socket, so that of two agents that start at the same moment
    /// exactly one gets it. A folder that is missing is made, closed to others.
    ///
    /// # Errors
    /// When another agent answers on it, or the path cannot be used.
    pub fn bind(path: &Path) -> Result<Self, LocalError> {
        let address = SockAddr::unix(path).map_err(|_| LocalError::TooLong(path.to_owned()))?;
        let lock = Lock::take(path)?;
        remove_stale(path, &address)?;
        let listener = listen(path, &address)?;
        let metadata = fs::symlink_metadata(path).map_err(LocalError::prepare("look at", path))?;
        let inode = (metadata.dev(), metadata.ino());
        Ok(Self { listener, file: SocketFile { path: path.to_owned(), inode, _lock: lock } })
    }

    /// Where it is bound.
    pub fn path(&self) -> &Path {
        &self.file.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.inode);
        if ours {
            // A file that stays behind is found stale by the next agent.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes a socket file on which nobody listens any more.
fn remove_stale(path: &Path, address: &SockAddr) -> Result<(), LocalError> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(LocalError::prepare("look at", path)(error)),
    };
    if !found.file_type().is_socket() {
        return Err(LocalError::NotASocket(path.to_owned()));
    }
    let socket = stream().map_err(LocalError::prepare("open a socket for", path))?;
    socket.set_nonblocking(true).map_err(LocalError::prepare("open a socket for", path))?;
    match socket.connect(address) {
        // A full backlog is a sign of life too.
        Ok(()) => Err(LocalError::Busy(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(LocalError::Busy(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(LocalError::prepare("remove the stale socket", path))
        }
        Err(error) => Err(LocalError::prepare("connect to", path)(error)),
    }
}

fn listen(path: &Path, address: &SockAddr) -> Result<UnixListener, LocalError> {
    let open = || -> io::Result<Socket> {
        let socket = stream()?;
        // Linux gives the file the mode of the unbound socket, less the umask: there is no moment at which others
        // could connect, and no process-wide umask to change.
        fchmod(&socket, Mode::from_raw_mode(SOCKET_MODE))?;
        socket.bind(address)?;
        fs::set_permissions(path, Permissions::from_mode(SOCKET_MODE))?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    };
    let socket = open().map_err(LocalError::prepare("make the socket", path))?;
    Ok(std::os::fd::OwnedFd::from(socket).into())
}

/// A new stream socket, closed on exec.
pub(super) fn stream() -> io::Result<Socket> {
    Socket::new(Domain::UNIX, Type::STREAM, None)
}
