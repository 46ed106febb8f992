//! Tables for people: aligned columns, no line longer than its words, and none longer than the screen where that can be.

use super::output::{Colour, Style, visible};

/// Gap between two columns.
const GAP: &str = "  ";

/// Fewest letters in a line for the words of the last column to be broken there.
const NARROWEST: usize = 24;

/// On which side of its column a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// One cell: pieces of text, each in its colour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    pieces: Vec<(String, Option<Colour>)>,
}

impl Cell {
    /// A cell in a colour.
    pub fn painted(text: &str, colour: Option<Colour>) -> Self {
        Self { pieces: vec![(visible(text), colour)] }
    }

    /// The text in its colours.
    pub fn render(&self, style: Style) -> String {
        self.pieces.iter().map(|(text, colour)| style.paint(*colour, text)).collect()
    }

    fn width(&self) -> usize {
        self.pieces.iter().map(|(text, _)| text.chars().count()).sum()
    }

    /// The same words in lines of at most `width` letters, but for longer words.
    fn broken(&self, width: usize) -> Vec<Self> {
        let [(text, colour)] = self.pieces.as_slice() else { return vec![self.clone()] };
        let mut lines = vec![String::new()];
        for word in text.split(' ') {
            match lines.last_mut() {
                Some(line) if line.is_empty() => line.push_str(word),
                Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(word.to_owned()),
            }
        }
        lines.into_iter().map(|line| Self { pieces: vec![(line, *colour)] }).collect()
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::painted(text.as_ref(), None)
    }
}

impl FromIterator<(char, Option<Colour>)> for Cell {
    /// Letter by letter; neighbours of one colour become one piece.
    fn from_iter<I: IntoIterator<Item = (char, Option<Colour>)>>(letters: I) -> Self {
        let mut pieces: Vec<(String, Option<Colour>)> = Vec::new();
        for (letter, colour) in letters {
            match pieces.last_mut() {
                Some((text, same)) if *same == colour => text.push(letter),
                _ => pieces.push((letter.to_string(), colour)),
            }
        }
        Self { pieces }
    }
}

/// A table with a head.
#[derive(Debug)]
pub struct Table {
    aligns: Vec<Align>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table with these columns.
    pub fn new(columns: &[(&str, Align)]) -> Self {
        let head = columns.iter().map(|(name, _)| Cell::from(name)).collect();
        Self { aligns: columns.iter().map(|&(_, align)| align).collect(), rows: vec![head] }
    }

    /// Adds a row: one cell a column.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Whether it has only a head.
    pub fn is_empty(&self) -> bool {
        self.rows.len() <= 1
    }

    /// Leaves out those of the `expendable` columns, the worthiest first, that the screen has no room for. Scripts and
    /// files, which have no width, get all.
    pub fn fitted(mut self, expendable: &[&str], style: Style) -> Self {
        let Some(screen) = style.width else { return self };
        for (number, name) in expendable.iter().enumerate() {
            let undecided = expendable.get(number + 1..).unwrap_or_default();
            if self.least_width_without(undecided) > screen {
                self.remove(name);
            }
        }
        self
    }

    /// Head and rows, each ending in a newline. The last column is broken between words where the screen ends.
    pub fn render(&self, style: Style) -> String {
        let widths = self.widths();
        let room = self.room_of_last(&widths, style);
        let mut all = String::new();
        for row in &self.rows {
            for row in broken(row, room) {
                self.render_line(&row, &widths, style, &mut all);
            }
        }
        all
    }

    fn render_line(&self, row: &[Cell], widths: &[usize], style: Style, all: &mut String) {
        let mut line = String::new();
        for (number, ((cell, &width), &align)) in row.iter().zip(widths).zip(&self.aligns).enumerate() {
            if number > 0 {
                line.push_str(GAP);
            }
            line.push_str(&padded(cell, width, align, style));
        }
        all.push_str(line.trim_end());
        all.push('\n');
    }

    fn remove(&mut self, name: &str) {
        let Some(column) = self.names().position(|other| other == name) else { return };
        self.aligns.remove(column);
        for row in self.rows.iter_mut().filter(|row| column < row.len()) {
            row.remove(column);
        }
    }

    fn names(&self) -> impl Iterator<Item = String> {
        self.rows.first().into_iter().flatten().map(|cell| cell.render(Style::default()))
    }

    fn widths(&self) -> Vec<usize> {
        let width_of = |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(Cell::width).max();
        (0..self.aligns.len()).map(|column| width_of(column).unwrap_or_default()).collect()
    }

    /// Width of its lines without some columns, when the last of the others is as narrow as it may be.
    fn least_width_without(&self, names: &[&str]) -> usize {
        let named = self.names().zip(self.widths()).zip(&self.aligns);
        let left: Vec<_> = named.filter(|((name, _), _)| !names.contains(&name.as_str())).collect();
        let widths: Vec<usize> = left.iter().map(|((_, width), _)| *width).collect();
        let breaks = left.last().is_some_and(|(_, align)| **align == Align::Left);
        let last = widths.last().copied().unwrap_or_default();
        before_last(&widths) + if breaks { last.min(NARROWEST) } else { last }
    }

    /// What the screen leaves to the last column, if it is of words and that is enough to break them.
    fn room_of_last(&self, widths: &[usize], style: Style) -> Option<usize> {
        let room = style.width?.checked_sub(before_last(widths))?;
        (self.aligns.last() == Some(&Align::Left) && room >= NARROWEST).then_some(room)
    }
}

/// Width of all columns but the last, with their gaps.
fn before_last(widths: &[usize]) -> usize {
    widths.split_last().map_or(0, |(_, others)| others.iter().map(|width| width + GAP.len()).sum())
}

/// A row as one line, or as several whose first columns are empty from the second on.
fn broken(row: &[Cell], room: Option<usize>) -> Vec<Vec<Cell>> {
    match (row.split_last(), room) {
        (Some((last, others)), Some(room)) if last.width() > room => {
            let lines = last.broken(room).into_iter().enumerate();
            let before =
                |number: usize| if number == 0 { others.to_vec() } else { vec![Cell::from(""); others.len()] };
            lines.map(|(number, line)| [before(number), vec![line]].concat()).collect()
        }
        _ => vec![row.to_vec()],
    }
}

/// The cell in its column; padded outside of its colour, which has no width.
fn padded(cell: &Cell, column: usize, align: Align, style: Style) -> String {
    let space = " ".repeat(column.saturating_sub(cell.width()));
    let text = cell.render(style);
    match align {
        Align::Left => text + &space,
        Align::Right => space + &text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style { colour: false, unicode: false, width: None };

    fn wide(columns: usize) -> Style {
        Style { width: Some(columns), ..PLAIN }
    }

    fn sample() -> Table {
        let mut table = Table::new(&[("NAME", Align::Left), ("RTT", Align::Right), ("STATE", Align::Left)]);
        table.row(["wan0".into(), "9.1 ms".into(), Cell::painted("up", Some(Colour::Green))]);
        table.row(["a-long-name".into(), "12.3 ms".into(), Cell::painted("down", Some(Colour::Red))]);
        table
    }

    fn wordy() -> Table {
        let mut table = Table::new(&[("NAME", Align::Left), ("RTT", Align::Right), ("WHY", Align::Left)]);
        table.row(["wan0".into(), "9.1 ms".into(), "three probes in a row lost: no answer".into()]);
        table
    }

    #[test]
    fn columns_are_aligned_and_lines_end_with_words() {
        let expected = "\
NAME             RTT  STATE
wan0          9.1 ms  up
a-long-name  12.3 ms  down
";
        assert_eq!(sample().render(PLAIN), expected);
    }

    #[test]
    fn colour_does_not_disturb_the_columns() {
        let plain = sample().render(PLAIN);
        let painted = sample().render(Style { colour: true, ..PLAIN });
        let stripped = ["\x1b[32m", "\x1b[31m", "\x1b[0m"].iter().fold(painted, |text, code| text.replace(code, ""));
        assert_eq!(stripped, plain);
    }

    #[test]
    fn the_last_column_is_broken_where_the_screen_ends() {
        let expected = "\
NAME     RTT  WHY
wan0  9.1 ms  three probes in a row
              lost: no answer
";
        assert_eq!(wordy().render(wide(38)), expected);
        assert_eq!(wordy().render(wide(37)), wordy().render(PLAIN), "too little room: left to the terminal");
    }

    #[test]
    fn the_worthiest_columns_stay_where_there_is_no_room_for_all() {
        let heads = |columns| {
            let text = wordy().fitted(&["WHY", "RTT"], wide(columns)).render(wide(columns));
            text.lines().next().unwrap_or_default().to_owned()
        };
        assert_eq!(heads(38), "NAME     RTT  WHY");
        assert_eq!(heads(37), "NAME  WHY");
        assert_eq!(heads(29), "NAME     RTT", "no room for the worthier, but for the next");
        assert_eq!(heads(11), "NAME");
        assert_eq!(wordy().fitted(&["WHY", "RTT"], PLAIN).render(PLAIN), wordy().render(PLAIN));
    }

    #[test]
    fn pieces_of_a_cell_keep_their_colours() {
        let cell: Cell = [('a', None), ('b', None), ('x', Some(Colour::Red))].into_iter().collect();
        assert_eq!(cell.render(Style { colour: true, ..PLAIN }), "ab\x1b[31mx\x1b[0m");
        assert_eq!(cell.width(), 3);
    }
}
