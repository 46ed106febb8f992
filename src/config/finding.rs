//! What is wrong with a configuration, where, and what to do about it.

use std::{fmt, ops::Range, path::Path};

use serde::Serialize;

use super::excerpt::Excerpt;

/// One thing that is wrong. Serializes to JSON with these names; they may be added to, never renamed.
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
    /// The line itself, marked; absent when what is meant is not in the file.
    #[serde(skip)]
    pub(super) excerpt: Option<Excerpt>,
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
        match (&self.excerpt, self.line) {
            (Some(excerpt), Some(line)) => excerpt.write(f, line),
            _ => Ok(()),
        }
    }
}

/// Everything that is wrong with a configuration, in the order of the file. `Display` prints one block a finding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    findings: Vec<Finding>,
    omitted: usize,
}

impl ConfigError {
    /// From at least one finding, and the number of those that were too many to keep.
    pub(super) fn new(mut findings: Vec<Finding>, omitted: usize) -> Self {
        findings.sort_by_key(|finding| (finding.line, finding.column));
        Self { findings, omitted }
    }

    /// The findings, at most a hundred.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

impl From<Finding> for ConfigError {
    fn from(finding: Finding) -> Self {
        Self::new(vec![finding], 0)
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
        if self.omitted > 0 {
            write!(f, "\n... and {} more of that kind or another", self.omitted)?;
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

    /// Places it. What is missing altogether has no span, and is reported at the start of the file.
    pub fn at(self, file: &Path, text: &str, span: Option<&Range<usize>>, key: String) -> Finding {
        let start = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line_start = start.rfind('\n').map_or(0, |position| position + 1);
        let before = start.get(line_start..).unwrap_or_default();
        Finding {
            line: Some(start.matches('\n').count() + 1),
            column: Some(before.chars().count() + 1),
            excerpt: span.map(|span| Excerpt::new(text, line_start, span)),
            ..self.of_key(file, key)
        }
    }

    /// About the file as a whole.
    pub fn of_file(self, file: &Path) -> Finding {
        self.of_key(file, String::new())
    }

    fn of_key(self, file: &Path, key: String) -> Finding {
        Finding {
            file: file.display().to_string(),
            line: None,
            column: None,
            key,
            problem: self.problem,
            fix: self.fix,
            excerpt: None,
        }
    }
}
