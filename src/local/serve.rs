//! Answering: snapshots from the newest one published, the rest by the agent itself, all within deadlines.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{ANSWER_BYTES, Answer, ControlSocket, Forwarded, REQUEST_BYTES, Request, TRANSFER};
use crate::domain::view::Snapshot;

/// Connections served at once; more wait in the kernel.
const CONNECTIONS: usize = 16;

/// Pause after a failed accept: out of descriptors, most likely, and not cured by trying at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// What a connection needs to answer.
#[derive(Debug, Clone)]
struct Desk {
    snapshot: watch::Receiver<Arc<Snapshot>>,
    agent: mpsc::Sender<Forwarded>,
}

impl ControlSocket {
    /// Serves until dropped; snapshots are answered here, the rest is forwarded. A full channel makes the client wait,
    /// and after 5 s it is told that the agent is busy.
    ///
    /// Needs a Tokio runtime with I/O and time. Connections end with it.
    pub async fn serve(self, snapshot: watch::Receiver<Arc<Snapshot>>, agent: mpsc::Sender<Forwarded>) {
        // Taken apart by reference: the file is removed when `self` is dropped, after the listener.
        let listener = match self.listener.try_clone().and_then(UnixListener::from_std) {
            Ok(listener) => listener,
            Err(error) => {
                log::error!("control socket {}: {error}; commands get no answer", self.path().display());
                return;
            }
        };
        let desk = Desk { snapshot, agent };
        let permits = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
            while connections.try_join_next().is_some() {}
            match listener.accept().await {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, desk.clone(), permit));
                }
                Err(error) => {
                    log::warn!("control socket {}: cannot accept: {error}", self.path().display());
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// One request, one answer.
async fn connection(mut stream: UnixStream, desk: Desk, _permit: OwnedSemaphorePermit) {
    let answer = match timeout(TRANSFER, read_line(&mut stream)).await {
        Ok(Ok(line)) => desk.answer(&line).await,
        Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => refusal(error.to_string()),
        Ok(Err(_)) => return,
        Err(_) => refusal(format!("no complete request within {} s", TRANSFER.as_secs())),
    };
    let line = encode(&answer);
    // A client that went away, or does not read, loses its answer; nobody else is concerned.
    let _ = timeout(TRANSFER, async {
        stream.write_all(&line).await?;
        stream.shutdown().await
    })
    .await;
}

/// Reads up to the end of the line, or of the stream.
async fn read_line(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut bounded = stream.take(REQUEST_BYTES as u64 + 1);
    loop {
        if bounded.read_buf(&mut line).await? == 0 || line.contains(&b'\n') {
            break;
        }
    }
    let end = line.iter().position(|&byte| byte == b'\n').unwrap_or(line.len());
    line.truncate(end);
    if line.len() > REQUEST_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("request of more than {REQUEST_BYTES} bytes"),
        ));
    }
    Ok(line)
}

impl Desk {
    async fn answer(&self, line: &[u8]) -> Answer {
        match serde_json::from_slice(line) {
            Ok(Request::Snapshot) => Answer::Snapshot(Box::new(Snapshot::clone(&self.snapshot.borrow()))),
            Ok(request) => self.forward(request).await,
            Err(error) => refusal(format!(
                "request not understood: {error}; this agent is version {}, use the command of the same version",
                env!("CARGO_PKG_VERSION")
            )),
        }
    }

    async fn forward(&self, request: Request) -> Answer {
        let (to_us, answer) = oneshot::channel();
        let deadline = request.deadline();
        let asked = timeout(deadline, async {
            self.agent.send((request, to_us)).await.ok()?;
            answer.await.ok()
        });
        match asked.await {
            Ok(Some(answer)) => answer,
            Ok(None) => refusal("the agent is stopping; ask again when it has restarted".to_owned()),
            Err(_) => refusal(format!("the agent is busy: no answer within {} s; try again", deadline.as_secs())),
        }
    }
}

/// The answer as one line; what does not fit is said instead of cut off.
fn encode(answer: &Answer) -> Vec<u8> {
    let encoded = match serde_json::to_vec(answer) {
        Ok(line) if line.len() < ANSWER_BYTES => Ok(line),
        Ok(line) => Err(format!("the answer has {} bytes, more than the {ANSWER_BYTES} allowed", line.len())),
        Err(error) => Err(format!("the answer cannot be encoded: {error}")),
    };
    let mut line = encoded.unwrap_or_else(|reason| serde_json::to_vec(&refusal(reason)).unwrap_or_default());
    line.push(b'\n');
    line
}

fn refusal(reason: String) -> Answer {
    Answer::Error { reason }
}
