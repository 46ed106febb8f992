//! FRR's zebra, asked through its vty socket.

use std::{
    fs,
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::PathBuf,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::process::{self, Memory, Running};
use crate::Namespace;

const ADVICE: &str = "FRR's zebra is not installed: apt install frr";
/// Between two questions at least; and a twentieth of the time so far: each question lets zebra walk all its routes,
/// which must not be what is measured.
const GLANCE: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(120);

/// A running zebra.
pub(super) struct Zebra {
    process: Running,
    directory: TempDir,
}

impl Zebra {
    /// Starts it; returns when the process exists.
    pub(super) fn start(place: &Namespace) -> Result<Self, String> {
        let program = process::find("zebra").ok_or_else(|| ADVICE.to_owned())?;
        let directory = TempDir::with_prefix("peerward-bench-").map_err(|error| error.to_string())?;
        // It gives up root for a user of its own, and writes its sockets as that user.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777))
            .map_err(|error| error.to_string())?;
        let at = |name: &str| directory.path().join(name);
        fs::write(at("zebra.conf"), "").map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.arg("-f").arg(at("zebra.conf")).arg("-i").arg(at("zebra.pid")).arg("-z").arg(at("zserv.api"));
        command.arg("--vty_socket").arg(directory.path()).args(["-A", "127.0.0.1", "-P", "0"]);
        let process = Running::start(place, &mut command, &at("log")).map_err(|error| error.to_string())?;
        Ok(Self { process, directory })
    }

    /// Waits until it holds that many routes of both families.
    pub(super) fn wait_for(&mut self, count: u64) -> Result<(), String> {
        let began = Instant::now();
        let deadline = began + PATIENCE;
        let mut stream = self.connect(deadline)?;
        loop {
            let mut sum = 0;
            for family in ["ip", "ipv6"] {
                sum += total(&ask(&mut stream, &format!("show {family} route summary"))?);
            }
            if sum >= count {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("zebra has {sum} of {count} routes after {PATIENCE:?}; {}", self.log()));
            }
            sleep(GLANCE.max(began.elapsed() / 20));
        }
    }

    pub(super) fn memory(&self) -> Option<Memory> {
        process::memory(self.process.id())
    }

    fn connect(&mut self, deadline: Instant) -> Result<UnixStream, String> {
        loop {
            match UnixStream::connect(self.directory.path().join("zebra.vty")) {
                Ok(mut stream) => {
                    stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
                    ask(&mut stream, "enable")?;
                    return Ok(stream);
                }
                Err(_) if !self.process.ended() && Instant::now() < deadline => sleep(Duration::from_millis(1)),
                Err(error) => return Err(format!("zebra's vty socket: {error}; {}", self.log())),
            }
        }
    }

    fn log(&self) -> String {
        let path: PathBuf = self.directory.path().join("log");
        fs::read_to_string(path).unwrap_or_default().lines().next().unwrap_or_default().to_owned()
    }
}

/// A question ends with a zero byte, an answer with three of them and a status.
fn ask(stream: &mut UnixStream, question: &str) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("zebra does not answer `{question}`: {error}");
    stream.write_all(question.as_bytes()).and_then(|()| stream.write_all(&[0])).map_err(failed)?;
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let length = stream.read(&mut piece).map_err(failed)?;
        answer.extend_from_slice(piece.get(..length).unwrap_or_default());
        if length == 0 {
            return Err(failed(std::io::ErrorKind::UnexpectedEof.into()));
        }
        if let Some((text, [0, 0, 0, _])) = answer.split_last_chunk::<4>() {
            return Ok(String::from_utf8_lossy(text).into_owned());
        }
    }
}

/// Routes that are also in the kernel.
fn total(summary: &str) -> u64 {
    let line = summary.lines().find_map(|line| line.strip_prefix("Totals")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|count| count.parse().ok()).unwrap_or_default()
}
