//! What is wrong with a configuration, where, and what to do about it.

use std::{fmt, ops::Range, path::Path};

use serde::Serialize;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// File, as it was named.
    pub file: String,
    /// Line, from 1; absent when the file as a whole is meant.
    pub line: Option<usize>,
    /// Column in characters, from 1.
    pub column: Option<usize>,
    /// Key with its path, such as `isp[1].uplink[0].interface`; empty when the file as a whole is meant.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub fix: String,
    /// The line itself, and how many characters of it are meant.
    #[serde(skip)]
    pub(super) excerpt: Option<(String, usize)>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, ":{line}:{column}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}; {}", self.problem, self.fix)?;
        if let (Some((text, width)), Some(line), Some(column)) = (&self.excerpt, self.line, self.column) {
            let margin = line.to_string().len();
            write!(f, "\n  {line} | {text}\n  {:margin$} | {:indent$}{:^<width$}", "", "", "", indent = column - 1)?;
        }
        Ok(())
    }
}

/// Everything that is wrong with a configuration, in the order of the file. `Display` prints one block a finding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    findings: Vec<Finding>,
}

impl ConfigError {
    /// From at least one finding.
    pub(super) fn new(mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| (finding.line, finding.column));
        Self { findings }
    }

    /// The findings.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, finding) in self.findings.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{finding}")?;
        }
        Ok(())
    }
}

/// A problem with its remedy, not yet placed in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub problem: String,
    pub fix: String,
}

impl Wrong {
    pub fn new(problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { problem: problem.into(), fix: fix.into() }
    }

    /// Places it.
    pub fn at(self, file: &Path, text: &str, span: &Range<usize>, key: String) -> Finding {
        let start = text.get(..span.start).unwrap_or(text);
        let line_start = start.rfind('\n').map_or(0, |position| position + 1);
        let line_text = text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let column = start.get(line_start..).unwrap_or_default().chars().count() + 1;
        let meant = text.get(span.clone()).and_then(|meant| meant.lines().next()).unwrap_or_default();
        Finding {
            file: file.display().to_string(),
            line: Some(start.matches('\n').count() + 1),
            column: Some(column),
            key,
            problem: self.problem,
            fix: self.fix,
            excerpt: Some((line_text.to_owned(), meant.chars().count().max(1))),
        }
    }

    /// About the file as a whole.
    pub fn of_file(self, file: &Path) -> Finding {
        Finding {
            file: file.display().to_string(),
            line: None,
            column: None,
            key: String::new(),
            problem: self.problem,
            fix: self.fix,
            excerpt: None,
        }
    }
}

/// The nearest of `known` to a misspelt word, if one is near enough to be meant.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&folded, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness >= 0.85)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

/// The remedy for a word that is not one of `known`.
pub(super) fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match did_you_mean(word, known.clone()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => {
            let all: Vec<_> = known.into_iter().map(|known| format!("\"{known}\"")).collect();
            format!("use one of {}", all.join(", "))
        }
    }
}
