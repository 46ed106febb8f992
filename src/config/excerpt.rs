//! The line of a file that a finding is about, with carets under what is meant.

use std::{fmt, ops::Range};

/// Widest excerpt, in characters: fits a terminal beside its margin, and keeps a file of one endless line from being
/// copied once for each finding.
const WIDEST: usize = 110;

/// Characters shown before what is meant, when the line has to be cut at its start.
const LEAD: usize = 40;

/// Stands for what was cut.
const ELLIPSIS: &str = "...";

/// One line, cut to what can be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Excerpt {
    text: String,
    /// Characters before what is meant.
    indent: usize,
    /// Characters that are meant.
    width: usize,
}

impl Excerpt {
    /// The line that starts at byte `line_start` of `text`; `span` in bytes of `text`.
    pub fn new(text: &str, line_start: usize, span: &Range<usize>) -> Self {
        let line = text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let column = text.get(line_start..span.start).unwrap_or_default().chars().count();
        let meant = text.get(span.clone()).and_then(|meant| meant.lines().next()).unwrap_or_default();
        let skipped = if column < WIDEST - LEAD { 0 } else { column - LEAD };
        let cut = |at: bool| if at { ELLIPSIS } else { "" };
        let start = cut(skipped > 0);
        let middle: String = line.chars().take(skipped + WIDEST).skip(skipped + start.len()).map(printable).collect();
        let end = cut(line.chars().nth(skipped + WIDEST).is_some());
        let shown = format!("{start}{middle}{end}");
        let indent = column - skipped;
        Self { text: shown, indent, width: meant.chars().count().clamp(1, WIDEST - indent) }
    }

    /// Writes it below a finding.
    pub fn write(&self, f: &mut fmt::Formatter<'_>, line: usize) -> fmt::Result {
        let margin = line.to_string().len();
        let (indent, width) = (self.indent, self.width);
        write!(f, "\n  {line} | {}", self.text)?;
        write!(f, "\n  {:margin$} | {:indent$}{:^<width$}", "", "", "")
    }
}

/// One column for each character, and no power over the terminal.
fn printable(character: char) -> char {
    match character {
        '\t' => ' ',
        other if other.is_control() => '\u{fffd}',
        other => other,
    }
}
