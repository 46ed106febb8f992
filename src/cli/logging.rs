//! The log: plain lines on standard error, for whoever collects them.
//!
//! Three shapes: for the journal a priority in front (`<6>`, sd-daemon(3)) and no time, because the journal has its own;
//! for everything else a UTC time; JSON, one object a line, on request.

use std::{
    env,
    fmt::Write as _,
    io::{Write, stderr},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clap::ValueEnum;
use log::{LevelFilter, Log, Metadata, Record};

use super::{
    failure::{Code, Failure},
    output::visible,
};
use crate::domain::calendar::civil;

/// Environment variable with the level.
const VARIABLE: &str = "PEERWARD_LOG";

/// How much is logged. There is no "off": why an agent ended must be found somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Level {
    /// What does not work.
    Error,
    /// What works less well than it should.
    Warn,
    /// What changed.
    Info,
    /// How it came to that.
    Debug,
    /// Everything, of libraries too.
    Trace,
}

impl Level {
    fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::Error,
            Self::Warn => LevelFilter::Warn,
            Self::Info => LevelFilter::Info,
            Self::Debug => LevelFilter::Debug,
            Self::Trace => LevelFilter::Trace,
        }
    }
}

/// Shape of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Plain,
    Journal,
    Json,
}

#[derive(Debug)]
struct Logger {
    shape: Shape,
    level: LevelFilter,
}

/// Starts logging, once per process; the option goes before the environment.
pub fn start(level: Option<Level>, json: bool) -> Result<(), Failure> {
    let level = level.map_or_else(level_of_environment, Ok)?.filter();
    let shape = match json {
        true => Shape::Json,
        false if stderr_is_journal() => Shape::Journal,
        false => Shape::Plain,
    };
    log::set_boxed_logger(Box::new(Logger { shape, level }))
        .map_err(|error| Failure::new(Code::Failed, format_args!("cannot start the log: {error}")))?;
    log::set_max_level(level);
    Ok(())
}

/// An error from before the log was started, as lines for standard error.
pub fn before_start(text: &str) -> String {
    let priority = if stderr_is_journal() { "<3>" } else { "" };
    text.lines().fold(String::new(), |lines, line| format!("{lines}{priority}{line}\n"))
}

fn level_of_environment() -> Result<Level, Failure> {
    let Some(value) = env::var_os(VARIABLE).filter(|value| !value.is_empty()) else { return Ok(Level::Info) };
    value.to_str().and_then(|text| Level::from_str(text, true).ok()).ok_or_else(|| {
        Failure::new(
            Code::Usage,
            format_args!("{VARIABLE}={} is no level; use error, warn, info, debug or trace", value.display()),
        )
    })
}

/// Whether standard error is the very stream that systemd connected to the journal: the variable alone is inherited
/// by children whose standard error goes elsewhere (systemd.exec(5), `$JOURNAL_STREAM`).
fn stderr_is_journal() -> bool {
    let Some(stream) = env::var("JOURNAL_STREAM").ok() else { return false };
    rustix::fs::fstat(stderr()).is_ok_and(|found| stream == format!("{}:{}", found.st_dev, found.st_ino))
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let ours = metadata.target().starts_with("peerward") || self.level == LevelFilter::Trace;
        metadata.level() <= if ours { self.level } else { self.level.min(LevelFilter::Warn) }
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let lines = render(self.shape, record, SystemTime::now());
            // One write a record, so that records of a forked child cannot mix; nobody to tell when it fails.
            let _ = stderr().write_all(lines.as_bytes());
        }
    }

    fn flush(&self) {}
}

/// The record as lines; each line of a message stands for itself where lines are counted as records.
fn render(shape: Shape, record: &Record<'_>, now: SystemTime) -> String {
    let message = record.args().to_string();
    if shape == Shape::Json {
        let value = serde_json::json!({
            "time": utc(now),
            "level": record.level().as_str().to_lowercase(),
            "room": room(record.target()),
            "message": message,
        });
        return format!("{value}\n");
    }
    let head = match shape {
        Shape::Journal => format!("<{}>", priority(record.level())),
        _ => format!("{} {:5} ", utc(now), record.level()),
    };
    message.lines().fold(String::new(), |mut lines, line| {
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "{head}{}: {}", room(record.target()), visible(line));
        lines
    })
}

/// The room that speaks: `probe`, not `peerward::probe::schedule`.
fn room(target: &str) -> &str {
    let inside = target.strip_prefix("peerward::").unwrap_or(target);
    inside.split("::").next().unwrap_or(inside)
}

/// Priority of syslog(3).
fn priority(level: log::Level) -> u8 {
    match level {
        log::Level::Error => 3,
        log::Level::Warn => 4,
        log::Level::Info => 6,
        log::Level::Debug | log::Level::Trace => 7,
    }
}

/// RFC 3339, UTC, milliseconds.
fn utc(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (seconds, milliseconds) = (since.as_secs(), since.subsec_millis());
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(shape: Shape, text: &str) -> String {
        let now = UNIX_EPOCH + Duration::from_millis(1_709_210_096_007);
        let mut builder = Record::builder();
        builder.level(log::Level::Warn).target("peerward::probe::schedule");
        render(shape, &builder.args(format_args!("{text}")).build(), now)
    }

    #[test]
    fn plain_lines_have_time_level_and_room() {
        assert_eq!(lines(Shape::Plain, "lost"), "2024-02-29T12:34:56.007Z WARN  probe: lost\n");
    }

    #[test]
    fn journal_lines_have_their_priority_each() {
        assert_eq!(lines(Shape::Journal, "one\ntwo"), "<4>probe: one\n<4>probe: two\n");
    }

    #[test]
    fn json_is_one_object_a_line() {
        let line = lines(Shape::Json, "one\ntwo");
        assert_eq!(line.lines().count(), 1);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["message"], "one\ntwo");
        assert_eq!(value["level"], "warn");
    }

    #[test]
    fn libraries_are_heard_only_when_something_is_wrong() {
        let logger = Logger { shape: Shape::Plain, level: LevelFilter::Debug };
        let enabled = |target, level| logger.enabled(&Metadata::builder().target(target).level(level).build());
        assert!(enabled("peerward::agent", log::Level::Debug));
        assert!(!enabled("rustls::client", log::Level::Debug));
        assert!(enabled("rustls::client", log::Level::Warn));
    }
}
