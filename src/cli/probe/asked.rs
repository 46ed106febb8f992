//! What is asked for on the command line, and the target that it comes to.

use std::{ops::RangeInclusive, time::Duration};

use clap::{Args, ValueEnum};

use crate::{
    config::{self, quoted},
    domain::{Check, Target},
    probe::{LEAST_INTERVAL, MOST_PAYLOAD},
};

/// The ceiling of one target on one uplink holds for people too.
const INTERVALS: RangeInclusive<Duration> = LEAST_INTERVAL..=Duration::from_secs(3600);

/// What to measure, and how often.
#[derive(Debug, Args)]
pub struct Asked {
    /// Uplink of the configuration, or its interface
    #[arg(value_name = "UPLINK")]
    pub uplink: String,
    /// Address or name, or as in the configuration: tls:outlook.office365.com, stun:52.112.0.1:3478, https://HOST/PATH
    #[arg(value_name = "TARGET")]
    pub target: String,
    /// How to measure a target that does not say it [default: tcp]
    #[arg(long, value_enum, value_name = "KIND")]
    pub kind: Option<Word>,
    /// Stop after so many probes [default: at Ctrl-C]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Time between two probes, at least 1s
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    pub interval: Duration,
    /// An answer after it counts as lost [default: that of the configuration]
    #[arg(long, value_name = "TIME", value_parser = timeout)]
    pub timeout: Option<Duration>,
    /// Port, instead of that of the target or its kind
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Bytes in an ICMP echo that must not be fragmented on the way (1472 fills a 1500-byte IPv4 packet, 1452 an IPv6 one)
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u16).range(0..=i64::from(MOST_PAYLOAD)))]
    pub size: Option<u16>,
}

/// Kinds, as targets in the configuration begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Word {
    /// TCP handshake
    Tcp,
    /// ICMP echo
    Icmp,
    /// STUN binding, as Teams media relays answer it
    Stun,
    /// TLS handshake with a server that proves its name
    Tls,
    /// First byte of an HTTP answer
    Http,
    /// The same over TLS
    Https,
}

impl Word {
    fn of(check: &Check) -> Self {
        match check {
            Check::Tcp { .. } => Self::Tcp,
            Check::Icmp => Self::Icmp,
            Check::Stun => Self::Stun,
            Check::Tls { .. } => Self::Tls,
            Check::Http { secure: false, .. } => Self::Http,
            Check::Http { secure: true, .. } => Self::Https,
        }
    }

    /// What the text form begins with.
    fn start(self) -> &'static str {
        match self {
            Self::Tcp => "tcp:",
            Self::Icmp => "icmp:",
            Self::Stun => "stun:",
            Self::Tls => "tls:",
            Self::Http => "http://",
            Self::Https => "https://",
        }
    }

    fn name(self) -> &'static str {
        self.start().trim_end_matches([':', '/'])
    }
}

impl Asked {
    /// The target; `port` is that of a bare address or name.
    ///
    /// # Errors
    /// What does not fit, as one sentence.
    pub fn target(&self, port: u16) -> Result<Target, String> {
        let mut target = self.written(port)?;
        match (self.port, &target.check) {
            (Some(_), Check::Icmp) => return Err("ICMP has no ports; leave --port out".to_owned()),
            (Some(port), _) => target.port = port,
            (None, _) => {}
        }
        if self.size.is_some() && target.check != Check::Icmp {
            return Err("--size is for echoes alone; add --kind icmp".to_owned());
        }
        Ok(target)
    }

    fn written(&self, port: u16) -> Result<Target, String> {
        let begun = |word: Word| config::target(&format!("{}{}", word.start(), self.target), port);
        let as_it_is = config::target(&self.target, port);
        match (self.kind, as_it_is) {
            // HOST:PORT, as people write it.
            (None, Err(reason)) => begun(Word::Tcp).map_err(|_| reason),
            (None, Ok(target)) => Ok(target),
            (Some(word), as_it_is) => begun(word).or_else(|reason| match as_it_is {
                Ok(target) if Word::of(&target.check) == word => Ok(target),
                Ok(target) => Err(format!(
                    "{} is a target of kind {}, and --kind says {}; leave one of them out",
                    quoted(&self.target),
                    Word::of(&target.check).name(),
                    word.name()
                )),
                Err(_) => Err(reason),
            }),
        }
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    config::time(text, &INTERVALS).map_err(|reason| format!("{reason}; no target is probed more than once a second"))
}

fn timeout(text: &str) -> Result<Duration, String> {
    config::time(text, &config::PROBE_TIMEOUTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(target: &str, kind: Option<Word>) -> Asked {
        Asked {
            uplink: "wan0".to_owned(),
            target: target.to_owned(),
            kind,
            count: None,
            interval: LEAST_INTERVAL,
            timeout: None,
            port: None,
            size: None,
        }
    }

    #[test]
    fn a_target_is_what_it_says_or_what_the_kind_makes_of_it() {
        for (written, kind, expected) in [
            ("13.107.6.152", None, "tcp:13.107.6.152:443"),
            ("13.107.6.152:8443", None, "tcp:13.107.6.152:8443"),
            ("[2620:1ec:4::152]:8443", None, "tcp:[2620:1ec:4::152]:8443"),
            ("stun:52.112.0.1", None, "stun:52.112.0.1:3478"),
            ("2620:1ec:4::152", Some(Word::Icmp), "icmp:2620:1ec:4::152"),
            ("outlook.office365.com", Some(Word::Tls), "tls:outlook.office365.com:443"),
            ("tls:outlook.office365.com", Some(Word::Tls), "tls:outlook.office365.com:443"),
            ("outlook.office365.com/owa", Some(Word::Https), "https://outlook.office365.com:443/owa"),
            ("13.107.4.52", Some(Word::Http), "http://13.107.4.52:80/"),
        ] {
            let target = asked(written, kind).target(443);
            assert_eq!(target.map(|target| target.to_string()), Ok(expected.to_owned()), "{written} {kind:?}");
        }
    }

    #[test]
    fn a_port_on_the_command_line_goes_before_that_of_the_target() {
        let asked = Asked { port: Some(5061), ..asked("tls:sip.pstnhub.microsoft.com:443", None) };
        assert_eq!(asked.target(443).unwrap().to_string(), "tls:sip.pstnhub.microsoft.com:5061");
    }

    #[test]
    fn what_does_not_fit_together_is_refused_with_a_remedy() {
        for (asked, remedy) in [
            (asked("nonsense", None), "write an address"),
            (asked("tls:a.example", Some(Word::Icmp)), "leave one of them out"),
            (Asked { port: Some(7), ..asked("icmp:192.0.2.1", None) }, "leave --port out"),
            (Asked { size: Some(1472), ..asked("192.0.2.1", None) }, "--kind icmp"),
        ] {
            let reason = asked.target(443).unwrap_err();
            assert!(reason.contains(remedy), "{reason}");
        }
    }

    #[test]
    fn nobody_probes_a_target_more_than_once_a_second() {
        assert_eq!(interval("1s"), Ok(Duration::from_secs(1)));
        for text in ["200ms", "0s", "1", "soon", "2h"] {
            assert!(interval(text).unwrap_err().contains("once a second"), "{text}");
        }
    }
}
