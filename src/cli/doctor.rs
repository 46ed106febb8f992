//! `peerward doctor`: what stands in the way on this router, what it means, and what to do.

use std::{fmt::Write as _, path::Path};

use serde::Serialize;

use super::{
    arguments::Global,
    failure::{Code, Failure},
    figures::count,
    output::{Colour, Style, print, print_json, visible},
};
use crate::{
    catalogue::Catalogue,
    config::{self, Config},
    doctor::{AgentSocket, Evidence, Finding, Grade, Line, Places, examine, gather},
    domain::PrefixSet,
    local::{self, Answer, LocalError, Request},
};

/// Width of the text, in columns.
const WIDTH: usize = 100;

/// Findings and how many there are of each kind.
#[derive(Debug, Serialize)]
struct Report<'a> {
    summary: Summary,
    findings: &'a [Finding],
}

#[derive(Debug, Serialize)]
struct Summary {
    errors: usize,
    warnings: usize,
    advice: usize,
    skipped: usize,
    ok: usize,
}

/// Examines this router.
pub fn run(global: &Global, style: Style) -> Result<(), Failure> {
    let config = configuration(global)?;
    let findings = findings(global, config.as_ref())?;
    if global.json {
        print_json(&Report { summary: summary(&findings), findings: &findings })?;
    } else {
        print(&render(&findings, style))?;
    }
    match findings.iter().map(|finding| finding.severity).max() {
        Some(Grade::Error) => Err(Failure::already_told(Code::Ill)),
        Some(Grade::Warning) => Err(Failure::already_told(Code::Warned)),
        _ => Ok(()),
    }
}

/// The configuration, if there is one: before the first one is written there is already much to find.
fn configuration(global: &Global) -> Result<Option<Config>, Failure> {
    let file = global.config_file();
    if global.config.is_none() && !file.exists() {
        return Ok(None);
    }
    config::load(file).map(Some).map_err(|error| Failure::new(Code::Config, error))
}

fn findings(global: &Global, config: Option<&Config>) -> Result<Vec<Finding>, Failure> {
    let destinations: PrefixSet = match config {
        Some(config) => Catalogue::load(&config.destinations)
            .map_err(|error| Failure::new(Code::Config, error))?
            .classes()
            .iter()
            .flat_map(|class| class.prefixes.iter().copied())
            .collect(),
        None => PrefixSet::default(),
    };
    let own = config.map(|config| config.kernel.clone()).unwrap_or_default();
    let socket = agent(global, config);
    let failed = |reason: &dyn std::fmt::Display| Failure::new(Code::Failed, reason);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(&format_args!("cannot start a runtime: {error}")))?;
    let evidence = runtime.block_on(gather(&Places::default(), &own, config.map(Line::all), destinations, socket));
    let evidence = evidence.map_err(|error| failed(&error))?;
    let balances = config.is_some_and(|config| config.policy.balances());
    Ok(examine(&Evidence { balances, ..evidence }))
}

fn agent(global: &Global, config: Option<&Config>) -> AgentSocket {
    let configured = config.map(|config| config.control.socket.as_path());
    let path = global.socket.as_deref().or(configured).unwrap_or(Path::new("/run/peerward/control.sock"));
    match local::ask(path, &Request::Snapshot) {
        Ok(Answer::Snapshot(snapshot)) => AgentSocket::Running(snapshot.mode),
        Ok(_) => AgentSocket::Unknown("the agent answered another question".to_owned()),
        Err(LocalError::NoAgent(_)) => AgentSocket::Silent,
        Err(error) => AgentSocket::Unknown(error.to_string()),
    }
}

fn summary(findings: &[Finding]) -> Summary {
    let of = |grade: Grade| findings.iter().filter(|finding| finding.severity == grade).count();
    Summary {
        errors: of(Grade::Error),
        warnings: of(Grade::Warning),
        advice: of(Grade::Advice),
        skipped: of(Grade::Skipped),
        ok: of(Grade::Ok),
    }
}

/// The findings as people read them: what is wrong in full, what is well in a line each.
pub fn render(findings: &[Finding], style: Style) -> String {
    let mut text = String::new();
    let mut before = None;
    for finding in findings {
        if before.is_some_and(|explained| explained || finding.meaning.is_some()) {
            text.push('\n');
        }
        before = Some(finding.meaning.is_some());
        text.push_str(&paragraph(finding, style));
    }
    let summary = summary(findings);
    let counted = [
        count(summary.errors, "error", "errors"),
        count(summary.warnings, "warning", "warnings"),
        count(summary.advice, "advice", "advice"),
        format!("{} skipped", summary.skipped),
        format!("{} ok", summary.ok),
    ];
    format!("{text}\n{}\n", counted.join(", "))
}

fn paragraph(finding: &Finding, style: Style) -> String {
    let colour = match finding.severity {
        Grade::Error => Some(Colour::Red),
        Grade::Warning => Some(Colour::Yellow),
        Grade::Ok => Some(Colour::Green),
        Grade::Advice | Grade::Skipped => None,
    };
    let word = style.paint(colour, &format!("{:7}", finding.severity.as_str()));
    let head = wrapped(&format!("{}: {}", finding.topic.as_str(), finding.found), 9);
    let mut text = format!("{word}  {head}");
    for (name, part) in [("means", &finding.meaning), ("remedy", &finding.remedy)] {
        if let Some(part) = part {
            // Writing to a string cannot fail.
            let _ = write!(text, "         {name:6}  {}", wrapped(part, 17));
        }
    }
    text
}

/// The text in lines of the width that is left beside `indent` columns; a word longer than a line stays whole.
fn wrapped(text: &str, indent: usize) -> String {
    let mut lines = String::new();
    let mut used = 0;
    for word in visible(text).split_whitespace() {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > WIDTH - indent {
            lines.push('\n');
            lines.push_str(&" ".repeat(indent));
            used = 0;
        }
        if used > 0 {
            lines.push(' ');
            used += 1;
        }
        lines.push_str(word);
        used += length;
    }
    lines + "\n"
}
