//! `peerward survey`: measures from this site, or takes recordings, and reports which uplink serves which destination how well.

mod render;

use std::{
    fs,
    path::{Path, PathBuf, absolute},
    time::Duration,
};

use super::{
    arguments::{Global, Surveyed},
    failure::{Code, Failure},
    logging,
    output::{Style, print, print_json},
    run::failure,
};
use crate::{
    agent,
    config::{self, Config, Mode, Recording},
    recording::{self, Dating},
    survey::{Survey, SurveyReport, page},
};

pub use render::render;

/// Bound of each of the two recordings of a survey: weeks of a few uplinks.
const RECORDING_BYTES: u64 = 256 * 1024 * 1024;

/// Measures where that is asked for, and reports.
pub fn run(global: &Global, asked: &Surveyed, style: Style) -> Result<(), Failure> {
    let folder = absolute(&asked.output).map_err(|error| cannot("use", &asked.output, &error))?;
    fs::create_dir_all(&folder).map_err(|error| cannot("create", &folder, &error))?;
    let files = match asked.lasts {
        Some(lasts) => measured(global, lasts, &folder)?,
        None => asked.from.clone(),
    };
    let report = surveyed(&files)?;
    let json = serde_json::to_string_pretty(&report)
        .map_err(|error| Failure::new(Code::Failed, format_args!("cannot encode the report as JSON: {error}")))?;
    for (name, text) in [("report.json", json + "\n"), ("report.html", page(&report))] {
        let file = folder.join(name);
        fs::write(&file, text).map_err(|error| cannot("write", &file, &error))?;
    }
    if global.json {
        return print_json(&report);
    }
    print(&format!("{}\nWritten: {}\n", render(&report, style), folder.join("report.html").display()))
}

/// The report on recordings: read once for their dates, and once for their samples.
fn surveyed(files: &[PathBuf]) -> Result<SurveyReport, Failure> {
    let unreadable = |error| Failure::new(Code::Failed, error);
    let mut dating = Dating::default();
    recording::read(files, &mut |entry| dating.observe(entry)).map_err(unreadable)?;
    let mut survey = Survey::new(dating);
    let faults = recording::read(files, &mut |entry| survey.take(entry)).map_err(unreadable)?;
    Ok(survey.report(&faults))
}

/// Runs the agent for a while without writing to the kernel or reporting upstream, and names its recordings.
fn measured(global: &Global, lasts: Duration, folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let config = config::load(global.config_file()).map_err(|error| Failure::new(Code::Config, error))?;
    logging::start(None, false)?;
    let file = folder.join("samples.pwr.gz");
    let config = observing(config, folder, &file, global.socket.as_deref());
    log::info!("measuring for {} s; Ctrl-C ends it earlier, with its report", lasts.as_secs());
    agent::run_for(config, global.config_file(), Some(lasts)).map_err(failure)?;
    let before = folder.join("samples.pwr.gz.1");
    Ok([before, file].into_iter().filter(|file| file.exists()).collect())
}

/// The configuration of a survey: whatever the file says, nothing is steered, watched or reported. Its socket is its own,
/// so that it may run beside an agent.
fn observing(mut config: Config, folder: &Path, file: &Path, socket: Option<&Path>) -> Config {
    config.kernel.mode = Mode::Observe;
    config.report = None;
    config.probe.passive = false;
    config.control.socket = socket.map_or_else(|| folder.join("survey.sock"), Path::to_owned);
    config.recording = Some(Recording { file: file.to_owned(), max_bytes: RECORDING_BYTES });
    config
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Code::Failed, format_args!("cannot {what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::OnStop;

    #[test]
    fn a_survey_steers_and_reports_nothing_whatever_the_file_says() {
        let text = "[site]\nname = \"a\"\nmarket = \"Japan\"\n[[isp]]\nname = \"NTT\"\n[[isp.uplink]]\ninterface = \"wan0\"\n\
                    [policy]\npreferred = [\"NTT\"]\nallow_unqualified = true\n[kernel]\nmode = \"enforce\"\n\
                    on_stop = \"withdraw\"\n[probe]\npassive = true\n[report]\nendpoint = \"https://otel.example.net\"\n\
                    ca = \"a\"\ncert = \"b\"\nkey = \"c\"\n";
        let config = config::parse(text, Path::new("branch.toml")).unwrap();
        assert_eq!((config.kernel.mode, config.kernel.on_stop), (Mode::Enforce, OnStop::Withdraw));
        let config = observing(config, Path::new("/out"), Path::new("/out/samples.pwr.gz"), None);
        assert_eq!((config.kernel.mode, config.report, config.probe.passive), (Mode::Observe, None, false));
        assert_eq!(config.recording.unwrap().file, Path::new("/out/samples.pwr.gz"));
        assert_eq!(config.control.socket, Path::new("/out/survey.sock"));
    }
}
