//! BIRD 2, configured and asked through its control socket.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::process::{self, Memory, Running};
use crate::Namespace;

const ADVICE: &str = "BIRD 2 is not installed: apt install bird2";
/// Between two questions.
const GLANCE: Duration = Duration::from_millis(5);
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// What every configuration begins with.
pub(super) const PREAMBLE: &str = "log stderr { error, fatal };\nrouter id 192.0.2.1;\n\
    protocol device { scan time 3600; }\n";

/// A running BIRD.
pub(super) struct Bird {
    process: Running,
    directory: TempDir,
}

impl Bird {
    /// Starts it; returns when the process exists, not when it answers.
    pub(super) fn start(place: &Namespace, config: &str) -> Result<Self, String> {
        let program = process::find("bird").ok_or_else(|| ADVICE.to_owned())?;
        let directory = TempDir::with_prefix("peerward-bench-").map_err(|error| error.to_string())?;
        let at = |name: &str| directory.path().join(name);
        fs::write(at("bird.conf"), config).map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.arg("-f").arg("-c").arg(at("bird.conf")).arg("-s").arg(at("bird.ctl"));
        command.arg("-P").arg(at("bird.pid"));
        let process = Running::start(place, &mut command, &at("log")).map_err(|error| error.to_string())?;
        Ok(Self { process, directory })
    }

    /// Replaces the configuration file, for [`Self::configure`].
    pub(super) fn write_config(&self, config: &str) -> Result<(), String> {
        fs::write(self.at("bird.conf"), config).map_err(|error| error.to_string())
    }

    /// Lets it read its configuration file again; returns when it says that it did, which is before it has done all.
    pub(super) fn configure(&mut self) -> Result<(), String> {
        let answer = self.ask("configure")?;
        if answer.contains("Reconfigur") { Ok(()) } else { Err(format!("BIRD refused: {answer}")) }
    }

    /// Waits until the sum of a figure of all protocols is at least `count`.
    pub(super) fn wait_for(&mut self, figure: Figure, count: u64) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.ask("show protocols all")?;
            let sum = figure.sum(&answer);
            if sum >= count {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("BIRD has {sum} of {count} routes after {PATIENCE:?}; {}", self.log()));
            }
            sleep(GLANCE);
        }
    }

    /// Sum of a figure of all protocols.
    pub(super) fn figure(&mut self, figure: Figure) -> Result<u64, String> {
        Ok(figure.sum(&self.ask("show protocols all")?))
    }

    pub(super) fn memory(&self) -> Option<Memory> {
        process::memory(self.process.id())
    }

    fn ask(&mut self, question: &str) -> Result<String, String> {
        let stream = self.connect()?;
        let mut reader = BufReader::new(stream);
        answer(&mut reader).map_err(|error| format!("BIRD does not greet: {error}; {}", self.log()))?;
        writeln!(reader.get_mut(), "{question}").map_err(|error| error.to_string())?;
        answer(&mut reader).map_err(|error| format!("BIRD does not answer `{question}`: {error}"))
    }

    fn connect(&mut self) -> Result<UnixStream, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match UnixStream::connect(self.at("bird.ctl")) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
                    return Ok(stream);
                }
                Err(_) if !self.process.ended() && Instant::now() < deadline => sleep(Duration::from_millis(1)),
                Err(error) => return Err(format!("BIRD's control socket: {error}; {}", self.log())),
            }
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.at("log")).unwrap_or_default().lines().next().unwrap_or_default().to_owned()
    }
}

/// A count in `show protocols all`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Figure {
    /// Routes that kernel protocols learnt.
    Imported,
    /// Changes that were handed to kernel protocols since they started.
    ExportUpdates,
}

impl Figure {
    fn sum(self, answer: &str) -> u64 {
        let mut kernel = false;
        let mut sum = 0;
        for line in answer.lines() {
            if !line.starts_with(' ') {
                kernel = line.contains("Kernel");
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            let counted = match (self, words.as_slice()) {
                (Self::Imported, ["Routes:", count, "imported,", ..]) => Some(*count),
                (Self::ExportUpdates, ["Export", "updates:", .., accepted]) => Some(*accepted),
                _ => None,
            };
            if kernel {
                sum += counted.and_then(|count| count.parse::<u64>().ok()).unwrap_or_default();
            }
        }
        sum
    }
}

/// Reads until the line that ends an answer: four digits and a space. Lines are given without the digits.
fn answer(reader: &mut impl BufRead) -> std::io::Result<String> {
    let mut whole = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let (code, text) = line.split_at_checked(5).unwrap_or(("", &line));
        let coded = code.bytes().take(4).all(|byte| byte.is_ascii_digit()) && !code.is_empty();
        whole.push_str(if coded { text } else { &line });
        if coded && code.ends_with(' ') {
            return Ok(whole);
        }
    }
}
