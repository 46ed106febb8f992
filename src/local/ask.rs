//! Asking a running agent from a command: blocking, with a deadline over all of it.

use std::{
    io::{self, Read, Write},
    net::Shutdown,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::Path,
    time::{Duration, Instant},
};

use socket2::SockAddr;

use super::{ANSWER_BYTES, Answer, LocalError, Request, TRANSFER, listen::stream};

/// Asks a running agent, from a command; blocks, with a deadline of a few seconds.
///
/// # Errors
/// When no agent listens there, access is denied, it does not answer in time, or the answer is not understood. What the
/// agent itself refuses is an [`Answer::Error`].
pub fn ask(path: &Path, request: &Request) -> Result<Answer, LocalError> {
    ask_within(path, request, request.patience())
}

pub(super) fn ask_within(path: &Path, request: &Request, patience: Duration) -> Result<Answer, LocalError> {
    let failed = |source: io::Error| failure(path, patience, source);
    let deadline = Instant::now() + patience;
    let mut stream = connect(path, patience).map_err(failed)?;
    let mut line = serde_json::to_vec(request).map_err(|error| failed(error.into()))?;
    line.push(b'\n');
    // An agent that refuses early closes before all was sent; its answer is still there to be read.
    match stream.write_all(&line).and_then(|()| stream.shutdown(Shutdown::Write)) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(failed(error)),
        _ => {}
    }
    let answer = read_answer(&mut stream, deadline).map_err(failed)?;
    decode(path, &answer)
}

/// Connects; a full backlog makes the kernel wait no longer than the time-out for sending.
fn connect(path: &Path, patience: Duration) -> io::Result<UnixStream> {
    let address = SockAddr::unix(path)?;
    let socket = stream()?;
    socket.set_write_timeout(Some(TRANSFER.min(patience)))?;
    socket.connect(&address)?;
    Ok(OwnedFd::from(socket).into())
}

fn read_answer(stream: &mut UnixStream, deadline: Instant) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let read = match stream.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        answer.extend_from_slice(chunk.get(..read).unwrap_or_default());
        if read == 0 || answer.last() == Some(&b'\n') || answer.len() > ANSWER_BYTES {
            return Ok(answer);
        }
    }
}

fn decode(path: &Path, answer: &[u8]) -> Result<Answer, LocalError> {
    let bad = |reason: String| LocalError::BadAnswer { path: path.to_owned(), reason };
    match answer {
        [] => Err(bad("the agent closed the connection without one".to_owned())),
        answer if answer.len() > ANSWER_BYTES => Err(bad(format!("it has more than {ANSWER_BYTES} bytes"))),
        answer => serde_json::from_slice(answer).map_err(|error| bad(error.to_string())),
    }
}

/// What a failed system call on the way means.
pub(super) fn failure(path: &Path, patience: Duration, source: io::Error) -> LocalError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::NotADirectory => {
            LocalError::NoAgent(path)
        }
        io::ErrorKind::PermissionDenied => LocalError::denied(&path),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => LocalError::Timeout { path, after: patience },
        io::ErrorKind::InvalidInput => LocalError::TooLong(path),
        _ => LocalError::Connection { path, source },
    }
}
