//! Which paths are asked for.

use std::collections::BTreeSet;

use crate::{
    config::{quoted, suggest},
    domain::{ClassId, view::PathReport},
};

/// Which paths are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// A class, or whole parts of the names of some: `exchange`, `m365`, `ipv6`.
    pub class: Option<String>,
    /// An uplink.
    pub uplink: Option<String>,
}

impl Choice {
    /// Whether nothing is left out.
    pub fn is_everything(&self) -> bool {
        self.class.is_none() && self.uplink.is_none()
    }

    /// Those of `reports` that are asked for; the reason if there are none.
    pub fn of<'a>(&self, reports: &'a [PathReport]) -> Result<Vec<&'a PathReport>, String> {
        let mut chosen: Vec<&PathReport> = reports.iter().collect();
        if let Some(wanted) = &self.uplink {
            chosen.retain(|report| report.path.uplink == *wanted);
            if chosen.is_empty() {
                return Err(unknown("uplink", wanted, reports.iter().map(|report| report.path.uplink.as_str())));
            }
        }
        if let Some(wanted) = &self.class {
            chosen.retain(|report| is_named(&report.path.class, wanted));
            let by_name = || reports.iter().filter(|report| is_named(&report.path.class, wanted));
            match &self.uplink {
                _ if !chosen.is_empty() => {}
                Some(uplink) if by_name().next().is_some() => {
                    return Err(format!("uplink {} has no path of class {}", quoted(uplink), quoted(wanted)));
                }
                _ => return Err(unknown("class", wanted, reports.iter().map(|report| report.path.class.as_str()))),
            }
        }
        Ok(chosen)
    }
}

/// Whether `wanted` is the name of the class, or some parts in a row of it.
fn is_named(class: &ClassId, wanted: &str) -> bool {
    !wanted.is_empty() && format!(".{class}.").contains(&format!(".{wanted}."))
}

fn unknown<'a>(what: &str, wanted: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: BTreeSet<&str> = known.collect();
    if known.is_empty() {
        return format!("there are no paths, so none of {what} {}", quoted(wanted));
    }
    format!("no path has the {what} {}; {}", quoted(wanted), suggest(wanted, known))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORTS: &str = include_str!("../golden/paths.json");

    fn chosen(class: Option<&str>, uplink: Option<&str>) -> Result<Vec<(String, String)>, String> {
        let reports: Vec<PathReport> = serde_json::from_str(REPORTS).unwrap();
        let choice = Choice { class: class.map(str::to_owned), uplink: uplink.map(str::to_owned) };
        let name = |report: &&PathReport| (report.path.class.as_str().to_owned(), report.path.uplink.clone());
        choice.of(&reports).map(|chosen| chosen.iter().map(name).collect())
    }

    #[test]
    fn a_class_is_named_wholly_or_by_its_parts() {
        for (wanted, paths) in
            [("m365.exchange.ipv4", 3), ("m365.exchange", 5), ("exchange", 5), ("ipv6", 2), ("azure", 1)]
        {
            assert_eq!(chosen(Some(wanted), None).map(|paths| paths.len()), Ok(paths), "{wanted}");
        }
        for wanted in ["", "exch", "m365.exchange.ipv", "365.exchange"] {
            assert!(chosen(Some(wanted), None).is_err(), "{wanted}");
        }
    }

    #[test]
    fn class_and_uplink_together_narrow_to_one_path() {
        assert_eq!(
            chosen(Some("m365.exchange.ipv6"), Some("wan1")),
            Ok(vec![("m365.exchange.ipv6".to_owned(), "wan1".to_owned())])
        );
    }

    #[test]
    fn what_is_not_there_is_told_with_what_may_have_been_meant() {
        let reason = chosen(Some("m365.exchnge.ipv4"), None).unwrap_err();
        assert_eq!(reason, "no path has the class \"m365.exchnge.ipv4\"; did you mean \"m365.exchange.ipv4\"?");
        let reason = chosen(Some("teams"), None).unwrap_err();
        assert!(reason.contains("use one of \"azure.sql.japaneast.ipv4\", \"m365.exchange.ipv4\""), "{reason}");
        let reason = chosen(None, Some("wan9")).unwrap_err();
        assert!(reason.starts_with("no path has the uplink \"wan9\"; did you mean \"wan"), "{reason}");
        let reason = chosen(Some("azure"), Some("wan1")).unwrap_err();
        assert_eq!(reason, "uplink \"wan1\" has no path of class \"azure\"");
    }

    #[test]
    fn a_choice_among_nothing_says_that_there_is_nothing() {
        let choice = Choice { class: Some("exchange".to_owned()), uplink: None };
        assert_eq!(choice.of(&[]), Err("there are no paths, so none of class \"exchange\"".to_owned()));
    }
}
