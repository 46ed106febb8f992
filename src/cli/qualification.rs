//! Which ISPs are qualified Peering Service partners at this site, as a table: the same in `check` and `status`.

use super::{
    figures::or_absent,
    output::{Colour, Style},
    table::{Align, Cell, Table},
};

/// One ISP.
pub struct Row<'a> {
    pub name: &'a str,
    pub partner: Option<&'a str>,
    pub qualified: bool,
    pub why: &'a str,
}

/// The table.
pub fn render<'a>(isps: impl Iterator<Item = Row<'a>>, style: Style) -> String {
    let mut table = Table::new(&[
        ("ISP", Align::Left),
        ("PARTNER", Align::Left),
        ("QUALIFIED", Align::Left),
        ("WHY", Align::Left),
    ]);
    for isp in isps {
        table.row([
            Cell::from(isp.name),
            Cell::from(or_absent(isp.partner)),
            yes_or_no(isp.qualified),
            Cell::from(isp.why),
        ]);
    }
    table.render(style)
}

/// The answer to "is it qualified"; "no" may well be intended, so it is not red.
fn yes_or_no(yes: bool) -> Cell {
    if yes { Cell::painted("yes", Some(Colour::Green)) } else { Cell::painted("no", Some(Colour::Yellow)) }
}
