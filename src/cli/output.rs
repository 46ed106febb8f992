//! Standard output: written whole, never panicking on a closed pipe; colour only for people who want it.

use std::{
    env,
    ffi::OsString,
    fmt::Write as _,
    io::{self, IsTerminal, Write, stdout},
};

use rustix::termios::tcgetwinsize;
use serde::Serialize;

use super::failure::{Code, Failure};
use crate::domain::PathState;

/// A colour of a word; it never says anything that the word does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// As it should be.
    Green,
    /// Look at it.
    Yellow,
    /// Wrong.
    Red,
}

impl Colour {
    /// The colour of a state.
    pub fn of_state(state: PathState) -> Option<Self> {
        match state {
            PathState::Up => Some(Self::Green),
            PathState::Degraded => Some(Self::Yellow),
            PathState::Down => Some(Self::Red),
            PathState::Unknown => None,
        }
    }
}

/// How text is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// With colours.
    pub colour: bool,
    /// With letters beyond ASCII.
    pub unicode: bool,
    /// Columns that a line may have; none where nobody looks at a screen.
    pub width: Option<usize>,
}

impl Style {
    /// For this process's standard output. On a terminal: its width, colours unless `NO_COLOR` (no-color.org) says
    /// otherwise, and letters beyond ASCII where the locale has them. Elsewhere (a pipe, a file, a ticket that it ends in)
    /// nothing of that.
    pub fn of_stdout() -> Self {
        if !stdout().is_terminal() {
            return Self::default();
        }
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_none_or(|value| value == "dumb");
        let width = tcgetwinsize(stdout()).ok().map(|size| usize::from(size.ws_col));
        Self {
            colour: !unwanted && !dumb,
            unicode: !dumb && is_unicode(["LC_ALL", "LC_CTYPE", "LANG"].map(env::var_os)),
            // A serial console does not know, and says 0.
            width: width.filter(|&columns| columns > 0),
        }
    }

    /// The text in a colour.
    pub fn paint(self, colour: Option<Colour>, text: &str) -> String {
        let code = match colour {
            Some(Colour::Green) => "32",
            Some(Colour::Yellow) => "33",
            Some(Colour::Red) => "31",
            None => return text.to_owned(),
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Whether a locale is one of Unicode's, given what its variables say, the weightiest first.
fn is_unicode(variables: [Option<OsString>; 3]) -> bool {
    let decisive = variables.into_iter().flatten().find(|value| !value.is_empty());
    decisive.is_some_and(|locale| {
        let locale = locale.to_string_lossy().to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// The text with control characters made harmless: reasons may quote what a server far away sent.
pub fn visible(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '?' } else { character }).collect()
}

/// Lines of a name and what there is to say of it, the names in one column.
#[derive(Debug, Default)]
pub struct Facts {
    lines: Vec<(&'static str, String)>,
}

impl Facts {
    /// Adds a line; `text` may be painted, so it must have been made [`visible`] where it quotes.
    pub fn add(&mut self, name: &'static str, text: impl Into<String>) -> &mut Self {
        self.lines.push((name, text.into()));
        self
    }

    /// All lines.
    pub fn render(&self) -> String {
        let width = self.lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        self.lines.iter().fold(String::new(), |mut all, (name, text)| {
            // Writing to a string cannot fail.
            let _ = writeln!(all, "{name:width$}  {}", text.trim_end());
            all
        })
    }
}

/// Prints text as it is. A reader that has seen enough (`| head`) is no failure.
pub fn print(text: &str) -> Result<(), Failure> {
    print_while_read(text).map(|_| ())
}

/// The same, for what goes on until nobody reads it any more: false from then on.
pub fn print_while_read(text: &str) -> Result<bool, Failure> {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::new(Code::Failed, format_args!("cannot write to standard output: {error}"))),
    }
}

/// Prints a value as JSON, indented, with a newline at its end.
pub fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::new(Code::Failed, format_args!("cannot encode the answer as JSON: {error}")))?;
    print(&format!("{text}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_painted_without_colour() {
        let (plain, colour) = (Style::default(), Style { colour: true, ..Style::default() });
        assert_eq!(plain.paint(Some(Colour::Red), "down"), "down");
        assert_eq!(colour.paint(Some(Colour::Red), "down"), "\x1b[31mdown\x1b[0m");
        assert_eq!(colour.paint(None, "unknown"), "unknown");
    }

    #[test]
    fn the_weightiest_variable_decides_whether_the_locale_is_unicode() {
        for (variables, expected) in [
            ([None, None, Some("en_GB.UTF-8")], true),
            ([None, Some("C.utf8"), Some("C")], true),
            ([Some("C"), None, Some("en_GB.UTF-8")], false),
            ([Some(""), None, Some("en_GB.UTF-8")], true),
            ([None, None, Some("ja_JP.eucJP")], false),
            ([None, None, None], false),
        ] {
            assert_eq!(is_unicode(variables.map(|value| value.map(OsString::from))), expected, "{variables:?}");
        }
    }

    #[test]
    fn quoted_control_characters_cannot_reach_the_terminal() {
        assert_eq!(visible("500 \x1b[2Jgone\r\n"), "500 ?[2Jgone??");
    }
}
