//! `config/peerward.toml` explains every key, states every default, and stays true.

use std::{collections::BTreeSet, path::Path};

use toml::{Table, Value};

use super::{
    super::{Policy, document::Document, tables},
    BASE, REFERENCE, parsed,
};

/// The reference with every key that is commented out put in force.
fn in_force() -> String {
    let uncommented = |line: &'static str| {
        line.strip_prefix("# ").filter(|rest| rest.starts_with('[') || is_assignment(rest)).unwrap_or(line)
    };
    REFERENCE.lines().map(uncommented).collect::<Vec<_>>().join("\n")
}

fn is_assignment(line: &str) -> bool {
    line.split_once(" = ")
        .is_some_and(|(key, _)| key.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_'))
}

/// Every key of a table with its path, list positions left out.
fn keys(table: &Table, path: &str, found: &mut BTreeSet<String>) {
    for (key, value) in table {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match value {
            Value::Table(table) => keys(table, &path, found),
            Value::Array(array) => {
                array.iter().filter_map(Value::as_table).for_each(|table| keys(table, &path, found));
            }
            _ => {}
        }
        found.insert(path);
    }
}

#[test]
fn it_is_accepted_as_it_stands_and_with_everything_in_force() {
    parsed(REFERENCE);
    parsed(&in_force());
}

#[test]
fn it_names_every_key_that_is_known() {
    let text = in_force();
    let document = Document::new(Path::new("b.toml"), &text);
    assert!(tables::read(&document).is_some());
    let mut named = BTreeSet::new();
    keys(&text.parse().unwrap(), "", &mut named);
    for key in document.asked.borrow().iter() {
        assert!(named.contains(key), "{key} is missing in the reference");
    }
    assert!(document.asked.borrow().len() > 50, "{:?}", document.asked);
}

#[test]
fn it_states_the_defaults() {
    let (reference, base) = (parsed(REFERENCE), parsed(BASE));
    assert_eq!(reference.probe, base.probe);
    assert_eq!(reference.kernel, base.kernel);
    assert_eq!(reference.control, base.control);
    assert_eq!(reference.destinations, base.destinations);
    let chosen_by_the_reader = (reference.policy.preferred.clone(), reference.policy.markets.clone());
    let (preferred, markets) = chosen_by_the_reader;
    assert_eq!(reference.policy, Policy { preferred, markets, ..base.policy });
    let bare = "[report]\nendpoint = \"https://otel.example.net:4318\"\n\
                ca = \"tls/ca.pem\"\ncert = \"tls/client.pem\"\nkey = \"tls/client.key\"\n";
    let recording = "[recording]\nfile = \"/var/lib/peerward/samples.pwr.gz\"\n";
    assert_eq!(parsed(&in_force()).recording, parsed(&format!("{BASE}{recording}")).recording);
    assert_eq!(parsed(&in_force()).report, parsed(&format!("{BASE}{bare}")).report);
}
