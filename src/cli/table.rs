//! Tables for people: aligned columns, plain ASCII, no line longer than its words.

use super::output::{Colour, Style, visible};

/// Gap between two columns.
const GAP: &str = "  ";

/// On which side of its column a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    text: String,
    colour: Option<Colour>,
}

impl Cell {
    /// A cell in a colour.
    pub fn painted(text: &str, colour: Option<Colour>) -> Self {
        Self { text: visible(text), colour }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::painted(text.as_ref(), None)
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

    /// Head and rows, each ending in a newline.
    pub fn render(&self, style: Style) -> String {
        let widths = self.widths();
        let mut all = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (number, ((cell, &width), &align)) in row.iter().zip(&widths).zip(&self.aligns).enumerate() {
                if number > 0 {
                    line.push_str(GAP);
                }
                line.push_str(&padded(cell, width, align, style));
            }
            all.push_str(line.trim_end());
            all.push('\n');
        }
        all
    }

    fn widths(&self) -> Vec<usize> {
        let width_of = |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(width).max();
        (0..self.aligns.len()).map(|column| width_of(column).unwrap_or_default()).collect()
    }
}

fn width(cell: &Cell) -> usize {
    cell.text.chars().count()
}

/// The cell in its column; padded outside of its colour, which has no width.
fn padded(cell: &Cell, column: usize, align: Align, style: Style) -> String {
    let space = " ".repeat(column.saturating_sub(width(cell)));
    let text = style.paint(cell.colour, &cell.text);
    match align {
        Align::Left => text + &space,
        Align::Right => space + &text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new(&[("NAME", Align::Left), ("RTT", Align::Right), ("STATE", Align::Left)]);
        table.row(["wan0".into(), "9.1 ms".into(), Cell::painted("up", Some(Colour::Green))]);
        table.row(["a-long-name".into(), "12.3 ms".into(), Cell::painted("down", Some(Colour::Red))]);
        table
    }

    #[test]
    fn columns_are_aligned_and_lines_end_with_words() {
        let expected = "\
NAME             RTT  STATE
wan0          9.1 ms  up
a-long-name  12.3 ms  down
";
        assert_eq!(sample().render(Style { colour: false }), expected);
    }

    #[test]
    fn colour_does_not_disturb_the_columns() {
        let plain = sample().render(Style { colour: false });
        let painted = sample().render(Style { colour: true });
        let stripped = ["\x1b[32m", "\x1b[31m", "\x1b[0m"].iter().fold(painted, |text, code| text.replace(code, ""));
        assert_eq!(stripped, plain);
    }
}
