//! `peerward explain`: where an address, a prefix, a name or a class goes, and why.

mod query;
mod words;

use std::{fmt::Write, io, net::IpAddr};

use ipnet::IpNet;
use serde_json::json;

pub use query::Query;
pub use words::render;

use super::{
    arguments::Global,
    asking,
    failure::{Code, Failure},
    output::{Style, print, print_json},
};
use crate::{
    config::{quoted, suggest},
    domain::view::Explanation,
    local::{Answer, Request, Subject},
};

/// Asks the running agent to explain.
pub fn run(global: &Global, query: Query, from: Option<IpAddr>, style: Style) -> Result<(), Failure> {
    match query {
        Query::Prefix(net) => show(global, &ask(global, Subject::Prefix(net), from)?, style),
        Query::Class(class) => {
            let class = known_class(global, class)?;
            show(global, &ask(global, Subject::Class(class), from)?, style)
        }
        Query::Name(name) => of_name(global, &name, from, style),
    }
}

fn ask(global: &Global, query: Subject, from: Option<IpAddr>) -> Result<Explanation, Failure> {
    match asking::ask(global, &Request::Explain { query, from })? {
        Answer::Explanation(explanation) => Ok(*explanation),
        _ => Err(asking::mismatch()),
    }
}

fn show(global: &Global, explanation: &Explanation, style: Style) -> Result<(), Failure> {
    if global.json { print_json(explanation) } else { print(&render(explanation, style)) }
}

/// The class, if there is one of that name.
fn known_class(global: &Global, class: String) -> Result<String, Failure> {
    let known = asking::snapshot(global)?.classes;
    if known.iter().any(|known| known.id.as_str() == class) {
        return Ok(class);
    }
    let remedy = suggest(&class, known.iter().map(|known| known.id.as_str()));
    Err(Failure::new(Code::Usage, format_args!("there is no class {}; {remedy}", quoted(&class))))
}

/// Each address of a name; `--json` gives `{"name", "explanations"}`.
fn of_name(global: &Global, name: &str, from: Option<IpAddr>, style: Style) -> Result<(), Failure> {
    let addresses = query::addresses(name).map_err(|error| unknown_name(global, name, &error))?;
    let explanations: Vec<Explanation> = addresses
        .into_iter()
        // Sources are of one family: the addresses of the other are explained without.
        .map(|net| ask(global, Subject::Prefix(net), from.filter(|from| from.is_ipv4() == is_ipv4(net))))
        .collect::<Result<_, _>>()?;
    if global.json {
        return print_json(&json!({ "name": name, "explanations": explanations }));
    }
    print(&render_name(name, &explanations, style))
}

/// A class whose family was forgotten looks like a host.
fn unknown_name(global: &Global, name: &str, error: &io::Error) -> Failure {
    let classes = asking::snapshot(global).map(|snapshot| snapshot.classes).unwrap_or_default();
    let remedy = if classes.iter().any(|class| class.id.as_str().starts_with(name)) {
        suggest(name, classes.iter().map(|class| class.id.as_str()))
    } else {
        "give an address, or a class such as m365.exchange.ipv4".to_owned()
    };
    Failure::new(Code::Failed, format_args!("cannot look up {}: {error}; {remedy}", quoted(name)))
}

fn is_ipv4(net: IpNet) -> bool {
    matches!(net, IpNet::V4(_))
}

/// The first address in full, those that go the same way in a line, and those that do not in full again.
fn render_name(name: &str, explanations: &[Explanation], style: Style) -> String {
    let mut text = format!(
        "{name}: {} looked up by this router\n",
        match explanations.len() {
            1 => "one address".to_owned(),
            many => format!("{many} addresses"),
        }
    );
    let mut told: Vec<&Explanation> = Vec::new();
    for explanation in explanations {
        // Writing to a string cannot fail.
        let _ = match told.iter().find(|told| goes_as(explanation, told)) {
            None => write!(text, "\n{}", render(explanation, style)),
            Some(same) => {
                let (own, other) = (words::host_or_prefix(explanation.query), words::host_or_prefix(same.query));
                writeln!(text, "\n{own}: as {other}")
            }
        };
        told.push(explanation);
    }
    text
}

/// Whether it is decided, kept and looked up as another one.
fn goes_as(one: &Explanation, other: &Explanation) -> bool {
    let class = |of: &Explanation| of.class.as_ref().map(|class| class.id.clone());
    class(one) == class(other)
        && one.kept == other.kept
        && one.conclusion == other.conclusion
        && one.kernel_lookup == other.kernel_lookup
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(query: &str, conclusion: &str) -> Explanation {
        Explanation {
            query: query.parse().unwrap(),
            asked: None,
            destination: None,
            ruling: None,
            class: None,
            outlook: Vec::new(),
            kept: None,
            conclusion: conclusion.to_owned(),
            kernel_lookup: None,
        }
    }

    #[test]
    fn addresses_of_a_name_that_go_the_same_way_are_told_once() {
        let all = [
            explained("192.0.2.1/32", "goes by wan0"),
            explained("192.0.2.2/32", "goes by wan0"),
            explained("192.0.2.3/32", "goes by wan1"),
        ];
        let text = render_name("a.example", &all, Style::default());
        assert!(text.starts_with("a.example: 3 addresses"), "{text}");
        assert!(text.contains("\n192.0.2.2: as 192.0.2.1\n"), "{text}");
        assert!(text.contains("\n192.0.2.3: goes by wan1\n\n"), "{text}");
    }
}
