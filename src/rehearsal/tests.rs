//! Two configurations on paper, and one beside a running agent.

use std::{path::Path, sync::Arc, time::Duration};

use serde_json::json;

use super::{Outcome, Running, against_other, against_running, steady};
use crate::{
    agent::Candidate,
    catalogue::Catalogue,
    cli::{assert_golden, plan_in_words},
    config,
    domain::{
        BootTime, ClassId, PathState,
        view::{ClassView, PathView, Snapshot},
    },
    plan::Fib,
};

const NOW: BootTime = BootTime(Duration::from_secs(1_000_000));

/// Two ISPs of New Zealand, Kordia preferred, two lists; and what `more` says.
fn candidate(policy: &str, more: &str) -> Candidate {
    let text = format!(
        "[site]\nname = \"akl-01\"\nmarket = \"New Zealand\"\n\
         [[isp]]\nname = \"kordia\"\npartner = \"Kordia\"\n[[isp.uplink]]\ninterface = \"wan0\"\n\
         [[isp]]\nname = \"ccl\"\npartner = \"CCL\"\n[[isp.uplink]]\ninterface = \"wan1\"\n\
         [policy]\n{policy}\n[destinations.microsoft365]\nsource = \"off\"\n\
         [[destinations.static]]\nname = \"mail\"\nprefixes = [\"52.96.0.0/14\"]\n\
         [[destinations.static]]\nname = \"media\"\nprefixes = [\"52.112.0.0/14\", \"13.107.64.0/18\"]\n{more}\n"
    );
    let config = config::parse(&text, Path::new("new.toml")).unwrap();
    let catalogue = Catalogue::of(&config).unwrap();
    Candidate { name: "new.toml".to_owned(), config, catalogue: Arc::new(catalogue) }
}

const KORDIA_FIRST: &str = "preferred = [\"kordia\", \"ccl\"]";
const CCL_FIRST: &str = "preferred = [\"ccl\", \"kordia\"]";
const ENFORCE: &str = "[kernel]\nmode = \"enforce\"";

fn moving(outcome: &Outcome) -> Vec<(&str, Option<&str>, Option<&str>)> {
    outcome.moving().map(|class| (class.class.as_str(), class.from.as_deref(), class.to.as_deref())).collect()
}

#[test]
fn a_configuration_changes_nothing_against_itself() {
    let outcome = against_other(&candidate(KORDIA_FIRST, ENFORCE), &candidate(KORDIA_FIRST, ENFORCE));
    assert!(outcome.is_still() && outcome.concerns.is_empty(), "{outcome:#?}");
}

#[test]
fn another_preference_moves_every_class_by_one_message_each_side() {
    let outcome = against_other(&candidate(CCL_FIRST, ENFORCE), &candidate(KORDIA_FIRST, ENFORCE));
    assert_eq!(
        moving(&outcome),
        [("static.mail.ipv4", Some("wan0"), Some("wan1")), ("static.media.ipv4", Some("wan0"), Some("wan1"))]
    );
    let kernel = &outcome.kernel;
    assert_eq!((kernel.changes, kernel.next_hops_set, kernel.written), (4, 4, true), "{kernel:?}");
}

#[test]
fn a_rule_for_a_part_of_a_class_moves_that_part_and_no_other() {
    let rule = "[[policy.rule]]\nname = \"relays\"\nprefix = \"52.112.0.0/14\"\nisps = \"ccl\"\n";
    let outcome = against_other(&candidate(KORDIA_FIRST, rule), &candidate(KORDIA_FIRST, ""));
    let relays = outcome.classes.iter().find(|class| class.class.as_str() == "static.media+relays.ipv4").unwrap();
    assert_eq!(relays.now, Some(ClassId::new("static.media.ipv4")));
    assert_eq!(moving(&outcome), [("static.media+relays.ipv4", Some("wan0"), Some("wan1"))]);
    assert!(!outcome.kernel.written, "observe is the default");
}

#[test]
fn the_outcome_reads_as_people_see_it() {
    let more = "[[policy.rule]]\nname = \"relays\"\nprefix = \"52.112.0.0/14\"\nisps = [\"ccl\", \"kordia\"]\n\
                strategy = \"balanced\"\n[[policy.rule]]\nname = \"far\"\nprefix = \"20.0.0.0/8\"\nisps = \"ccl\"\n\
                [[destinations.static]]\nname = \"lab\"\nprefixes = [\"104.40.0.0/16\"]";
    let outcome = against_other(&candidate(KORDIA_FIRST, more), &candidate(KORDIA_FIRST, ""));
    assert_golden("plan.txt", &plan_in_words("new.toml", &outcome));
    let still = against_other(&candidate(KORDIA_FIRST, ""), &candidate(KORDIA_FIRST, ""));
    assert!(plan_in_words("new.toml", &still).starts_with("new.toml: changes nothing against new.toml\n"));
}

#[test]
fn space_that_begins_or_ceases_to_be_steered_is_told_with_examples() {
    let less = candidate(KORDIA_FIRST, "");
    let more = candidate(KORDIA_FIRST, "[[destinations.static]]\nname = \"lab\"\nprefixes = [\"20.33.0.0/16\"]");
    let outcome = against_other(&more, &less);
    assert_eq!((outcome.begins.routes, outcome.begins.examples.len(), outcome.ceases.routes), (1, 1, 0));
    let outcome = against_other(&less, &more);
    assert_eq!((outcome.begins.routes, outcome.ceases.routes), (0, 1));
    assert_eq!(outcome.vanishing, [ClassId::new("static.lab.ipv4")]);
}

#[test]
fn what_the_guard_would_refuse_and_rules_for_nothing_are_told() {
    let limit =
        "[kernel]\nmax_routes = 1\n[[policy.rule]]\nname = \"far\"\nprefix = \"20.0.0.0/8\"\nisps = \"ccl\"\n";
    let outcome = against_other(&candidate(KORDIA_FIRST, limit), &candidate(KORDIA_FIRST, ""));
    assert!(outcome.concerns.iter().any(|concern| concern.contains("max_routes = 1")), "{:?}", outcome.concerns);
    let unused = "rule \"far\" (line ";
    assert!(outcome.concerns.iter().any(|concern| concern.starts_with(unused)), "{:?}", outcome.concerns);
}

/// A running agent in `enforce` with everything on wan0, whose paths by wan0 and wan1 are in these states for an hour.
fn snapshot(states: [PathState; 2]) -> Snapshot {
    let class = |id: &str| -> ClassView {
        let view = json!({
            "id": id, "family": "ipv4", "service": "mail", "prefixes": 1, "routes": 1, "uplink": "wan0", "isp": "kordia",
            "backup": "wan1", "reason": "", "since_s": 3_600, "candidates": [],
        });
        serde_json::from_value(view).unwrap()
    };
    let path = |class: &str, (uplink, state): (&str, PathState)| -> PathView {
        let view = json!({
            "uplink": uplink, "isp": "", "class": class, "state": state, "selected": false, "rtt_ms": 12.0, "probes": 60,
            "since_s": 3_600, "evidence": state.as_str(),
        });
        serde_json::from_value(view).unwrap()
    };
    let classes = ["static.mail.ipv4", "static.media.ipv4"];
    let paths = classes.iter().flat_map(|class| ["wan0", "wan1"].into_iter().zip(states).map(|of| path(class, of)));
    Snapshot {
        site: "akl-01".to_owned(),
        market: "New Zealand".to_owned(),
        mode: "enforce".to_owned(),
        paths: paths.collect(),
        classes: classes.map(class).to_vec(),
        ..Snapshot::default()
    }
}

fn beside(candidate: &Candidate, snapshot: &Snapshot, held: Option<&Fib>) -> Outcome {
    let router = steady::router(&steady::interfaces(&[&candidate.config]));
    against_running(candidate, candidate.engine(NOW), &Running { snapshot, router: &router, held }, NOW)
}

#[test]
fn beside_a_running_agent_what_it_knows_of_its_paths_decides() {
    let well = beside(&candidate(CCL_FIRST, ENFORCE), &snapshot([PathState::Up; 2]), None);
    assert_eq!(moving(&well).len(), 2);
    assert!(!well.kernel.known && well.concerns.is_empty(), "{well:#?}");
    let ill = beside(&candidate(CCL_FIRST, ENFORCE), &snapshot([PathState::Up, PathState::Down]), None);
    assert_eq!(moving(&ill), [], "the line of CCL is down");
}

#[test]
fn a_part_of_a_class_goes_by_what_is_known_of_the_whole() {
    let rule = "[[policy.rule]]\nname = \"relays\"\nprefix = \"52.112.0.0/14\"\nisps = \"ccl\"\n[kernel]\nmode = \"enforce\"";
    let outcome = beside(&candidate(KORDIA_FIRST, rule), &snapshot([PathState::Up; 2]), None);
    assert_eq!(moving(&outcome), [("static.media+relays.ipv4", Some("wan0"), Some("wan1"))]);
}

#[test]
fn a_move_that_is_held_is_told_with_its_time() {
    let held = format!("{CCL_FIRST}\nstay_at_least = \"2h\"");
    let outcome = beside(&candidate(&held, ENFORCE), &snapshot([PathState::Up; 2]), None);
    let times: Vec<u64> = outcome.moving().map(|class| class.after_s).collect();
    assert_eq!(times, [3_600, 3_600], "it has been there for an hour");
}

#[test]
fn a_file_of_another_site_is_noticed() {
    let mut other = candidate(KORDIA_FIRST, "");
    other.config.site.name = "wlg-02".to_owned();
    let outcome = beside(&other, &snapshot([PathState::Up; 2]), None);
    assert!(outcome.concerns.iter().any(|concern| concern.contains("is this file for this site?")));
    assert!(outcome.concerns.iter().any(|concern| concern == "mode is enforce now and would be observe"));
}
