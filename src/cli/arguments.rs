//! What can be typed. Help, usage errors and suggestions all come from here.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{ArgAction, Args, Parser, Subcommand};

use super::{explain::Query, logging::Level, probe::Asked};
use crate::config;

/// Configuration that is read when none is named.
const DEFAULT_CONFIG: &str = "/etc/peerward/peerward.toml";

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed; the reason is on standard error
  2  wrong usage
  3  no agent answers on the control socket
  4  the configuration, or a file that it names, is refused
  5  permission denied
  6  doctor: warnings, nothing worse
  7  doctor: errors";

/// Steers Microsoft-bound traffic of a branch router to the right Azure Peering Service ISP.
#[derive(Debug, Parser)]
#[command(name = "peerward", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every subcommand.
#[derive(Debug, Args)]
pub struct Global {
    /// Configuration [default: /etc/peerward/peerward.toml]
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Control socket of the agent [default: that of the configuration]
    #[arg(long, value_name = "PATH", global = true)]
    pub socket: Option<PathBuf>,
    /// Print JSON; `run` logs it, one object a line
    #[arg(long, global = true)]
    pub json: bool,
}

impl Global {
    /// The configuration named, or the default one.
    pub fn config_file(&self) -> &Path {
        self.config.as_deref().unwrap_or(Path::new(DEFAULT_CONFIG))
    }
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the agent until SIGTERM or SIGINT
    Run {
        /// How much to log [default: $PEERWARD_LOG, else info]
        #[arg(long, value_name = "LEVEL")]
        log_level: Option<Level>,
    },
    /// Validate a configuration and the files that it names, without touching network or kernel
    Check {
        /// Configuration, instead of --config
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Print the configuration with every default spelled out
        #[arg(long)]
        effective: bool,
    },
    /// Show the site, its ISPs, what is steered where, and the health of kernel and reporting
    Status,
    /// Show every path (uplink and class) with its figures; some of them with all that is known
    Paths {
        /// Only paths of this class, with all that is known of them; parts of a name will do: exchange, m365, ipv6
        #[arg(value_name = "CLASS")]
        class: Option<String>,
        /// Only paths of this uplink, with all that is known of them
        #[arg(long, value_name = "NAME")]
        uplink: Option<String>,
    },
    /// Measure a target through an uplink, like ping; needs no agent
    Probe(Asked),
    /// Tell what another configuration would change: classes that move, kernel changes, objections; changes nothing
    Plan {
        /// The configuration to be tried, instead of --config
        #[arg(value_name = "NEW")]
        new: Option<PathBuf>,
        /// What it is laid beside: the running agent, or another configuration, with every uplink taken to be well
        #[arg(long, value_name = "running|FILE", default_value = "running")]
        against: String,
    },
    /// Run policies over a recording: what each would have decided, and where two of them part; needs no agent
    Replay(Replayed),
    /// Measure from this site for a while, steering nothing, and report which uplink serves which destination how well
    Survey(Surveyed),
    /// Show every class with its prefixes, routes, chosen uplink and backup
    Routes,
    /// Tell where an address, prefix, name or class goes, why, and what would change it
    Explain {
        /// Address, prefix, host or class, such as 13.107.6.152, 2603:1006::/40, outlook.office365.com, m365.exchange.ipv4
        #[arg(value_name = "ADDRESS|PREFIX|NAME|CLASS", value_parser = Query::parse)]
        query: Query,
        /// Source of the packets: with IPv6 it can decide which ISPs let them through
        #[arg(long, value_name = "ADDRESS")]
        from: Option<IpAddr>,
    },
    /// Look for conflicts with other programs, missing features and settings in the way; changes nothing
    Doctor,
    /// Take everything of peerward's out of the kernel; a running agent leaves it so until restart
    Withdraw,
    /// Print the version
    Version,
}

/// What is replayed.
#[derive(Debug, Args)]
pub struct Replayed {
    /// Recordings in the order in which they were made: samples.pwr.gz.1 samples.pwr.gz
    #[arg(value_name = "SAMPLES", required = true)]
    pub samples: Vec<PathBuf>,
    /// Configuration to be replayed; given twice, the two are compared [default: /etc/peerward/peerward.toml]
    #[arg(id = "config", long = "config", value_name = "FILE", action = ArgAction::Append)]
    pub configs: Vec<PathBuf>,
}

/// What is surveyed.
#[derive(Debug, Args)]
pub struct Surveyed {
    /// How long to measure, such as 2h; Ctrl-C ends it earlier, with its report
    #[arg(long = "for", value_name = "TIME", value_parser = parse_survey_time, required_unless_present = "from")]
    pub lasts: Option<Duration>,
    /// Measure nothing: report on these recordings, in the order in which they were made
    #[arg(long, value_name = "SAMPLES", num_args = 1.., conflicts_with = "lasts")]
    pub from: Vec<PathBuf>,
    /// Folder for report.html, report.json and, when measuring, samples.pwr.gz
    #[arg(long, value_name = "DIR", default_value = "peerward-survey")]
    pub output: PathBuf,
}

fn parse_survey_time(text: &str) -> Result<Duration, String> {
    config::time(text, &(Duration::from_secs(10)..=Duration::from_secs(31 * 86_400)))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn default_in_the_help_is_the_default() {
        let help = Arguments::command().render_help().to_string();
        assert!(help.contains(&format!("[default: {DEFAULT_CONFIG}]")), "{help}");
    }
}
