//! What is said about bad configurations, word for word: `refused.txt` explains its form.

use std::{fmt::Write, fs, path::Path};

use super::{super::parse, BASE};

const GOLDEN: &str = include_str!("refused.txt");
const FILE: &str = "src/config/tests/refused.txt";

/// The base with a change.
fn changed(change: &str) -> String {
    let mut text = BASE.to_owned();
    let mut change = change.lines().peekable();
    while change.peek().is_some() {
        let mut take = |sign: &str| {
            let mut lines = String::new();
            while let Some(line) = change.next_if(|line| line.starts_with(sign)) {
                lines = lines + &line[sign.len()..] + "\n";
            }
            lines
        };
        let (old, new) = (take("- "), take("+ "));
        assert!(text.contains(&old) && !(old.is_empty() && new.is_empty()), "cannot be applied:\n{old}{new}");
        if old.is_empty() {
            text += &new;
        } else {
            text = text.replacen(&old, &new, 1);
        }
    }
    text
}

fn said(text: &str) -> String {
    parse(text, Path::new("b.toml")).expect_err(text).to_string()
}

#[test]
fn every_refusal_is_worded_as_written_down() {
    let mut cases = GOLDEN.split("\n== ");
    let mut actual = cases.next().unwrap().to_owned();
    for case in cases {
        let (title, rest) = case.split_once('\n').unwrap();
        let (change, _) = rest.split_once("said\n").unwrap_or_else(|| panic!("{title}: nothing is said"));
        write!(actual, "\n== {title}\n{change}said\n{}\n", said(&changed(change))).unwrap();
    }
    if std::env::var_os("PEERWARD_BLESS").is_some() {
        fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE), &actual).unwrap();
    } else {
        for (expected, actual) in GOLDEN.split("\n== ").zip(actual.split("\n== ")) {
            assert!(expected.trim_end() == actual.trim_end(), "expected:\n{expected}\nactual:\n{actual}");
        }
    }
}

#[test]
fn the_base_itself_is_good() {
    assert!(parse(BASE, Path::new("b.toml")).is_ok());
}

#[test]
fn a_hostile_file_is_told_about_in_little_space() {
    let keys: Vec<String> = (0..50_000).map(|number| format!("k{number}=1")).collect();
    let keys = keys.join(",");
    let error = said(&format!("site = {{{keys}}}\n"));
    assert!(error.len() < 50_000, "{} bytes", error.len());
    assert!(error.contains("more"), "{error}");
    let deep = format!("a = {}1", "[".repeat(100_000));
    assert!(said(&deep).contains("not valid TOML"));
    let many = "[[isp]]\nname = \"x\"\n[[isp.uplink]]\ninterface = \"x\"\n".repeat(20_000);
    assert!(said(&many).len() < 100_000);
}

#[test]
fn more_than_64_uplinks_are_refused_once() {
    let mut text = BASE.to_owned();
    for number in 0..80 {
        write!(text, "[[isp]]\nname = \"i{number}\"\n[[isp.uplink]]\ninterface = \"w{number}\"\n").unwrap();
    }
    assert_eq!(said(&text).matches("there are more than 64 uplinks; remove some").count(), 1, "{}", said(&text));
}

#[test]
fn more_rules_markets_and_regions_than_anybody_needs_are_refused_once() {
    let mut text = BASE.to_owned();
    for number in 0..66 {
        write!(text, "[[policy.rule]]\nname = \"r{number}\"\nprefix = \"13.{number}.0.0/16\"\n").unwrap();
    }
    assert_eq!(said(&text).matches("there are more than 64 rules; join some").count(), 1, "{}", said(&text));
    let regions: Vec<String> = (0..1000).map(|number| format!("\"region{number}\"")).collect();
    let mut text = format!("{BASE}[[market]]\nname = \"Asia\"\nazure_regions = [{}]\n", regions.join(", "));
    assert_eq!(said(&text).matches("there are more than 256 Azure regions in all").count(), 1, "{}", said(&text));
    text = BASE.to_owned();
    for number in 0..300 {
        write!(text, "[[market]]\nname = \"m{number}\"\n").unwrap();
    }
    assert_eq!(said(&text).matches("there are more than 256 markets; remove some").count(), 1, "{}", said(&text));
}

#[test]
fn findings_are_data_too() {
    let error =
        parse(&changed("- market = \"New Zealand\"\n+ market = \"Jpan\"\n"), Path::new("b.toml")).unwrap_err();
    assert_eq!(
        serde_json::to_value(error.findings()).unwrap(),
        serde_json::json!([{
            "file": "b.toml", "line": 3, "column": 10, "key": "site.market",
            "problem": "market \"Jpan\" is not known", "fix": "did you mean \"Japan\"?",
        }])
    );
}
