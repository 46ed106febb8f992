//! What `explain` says of a branch in each situation that people ask about, to the letter.

use super::*;
use crate::{
    agent::{
        explain::{explanation, explanation_of_class},
        reconcile::FibStatus,
        snapshot::{Held, Surroundings, snapshot},
    },
    cli::{explanation_in_words, golden::assert_golden},
    domain::view::{Explanation, FlowsView, Snapshot},
};

const EXCHANGE: &str = "13.107.6.152/32";

impl World {
    /// The snapshot that an agent in step with its kernel would show.
    fn snapshot(&self) -> Snapshot {
        let observed = self.engine.desired();
        let around = Surroundings {
            withdrawn: false,
            started: BootTime(Duration::from_secs(100)),
            fib: &FibStatus { in_step: true, ..FibStatus::default() },
            held: &Held::new(&self.engine, &observed),
            flows: FlowsView::default(),
            router: &self.router,
            overruns: 0,
            reporting: None,
            passive: None,
        };
        snapshot(&self.engine, &around, self.now)
    }

    fn explain(&self, query: &str) -> Explanation {
        explanation(&self.engine, &self.snapshot(), query.parse().unwrap(), None, self.now)
    }
}

/// A world of these words instead of those in the configuration, that has run for 15 s.
fn running(changes: &[(&str, &str)]) -> World {
    running_with(changes, "")
}

fn running_with(changes: &[(&str, &str)], more: &str) -> World {
    let text = changes.iter().fold(CONFIG.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "{old}");
        text.replace(old, new)
    });
    let mut world = World::configured(&format!("{text}{more}"), &Fib::default());
    world.read_router();
    world.pass(Duration::from_secs(15));
    world
}

fn assert_explained(name: &str, explanation: &Explanation) {
    assert_golden(&format!("explain/{name}.txt"), &explanation_in_words(explanation));
    let json = serde_json::to_string_pretty(explanation).unwrap() + "\n";
    assert_golden(&format!("explain/{name}.json"), &json);
    assert_eq!(&serde_json::from_str::<Explanation>(&json).unwrap(), explanation, "JSON says all of it");
}

#[test]
fn preferred_and_well() {
    assert_explained("preferred", &running(&[]).explain(EXCHANGE));
}

#[test]
fn on_the_backup_and_waiting_to_return() {
    let mut world = running(&[]);
    world.cut_carrier("wan0", false);
    world.pass(Duration::from_secs(3));
    assert_explained("lost-carrier", &world.explain(EXCHANGE));
    world.cut_carrier("wan0", true);
    world.pass(Duration::from_secs(4));
    assert_explained("returning", &world.explain(EXCHANGE));
}

#[test]
fn degraded_with_the_figures_that_violate_the_service_level() {
    let mut world = running(&[("leave_after = \"2s\"", "leave_after = \"20s\"")]);
    world.weather.insert(KORDIA, SLOW);
    world.pass(Duration::from_secs(8));
    assert_explained("degraded", &world.explain(EXCHANGE));
    world.pass(Duration::from_secs(20));
    assert_explained("left-degraded", &world.explain(EXCHANGE));
}

#[test]
fn fastest_with_its_margin() {
    let mut world = running(&[(
        "[policy.sla]",
        "strategy = \"fastest\"\nmargin = \"5ms\"\nmargin_share = \"10%\"\n[policy.sla]",
    )]);
    world.weather.insert(CCL, Weather { rtt_ms: 8, ..FAIR });
    world.pass(Duration::from_secs(15));
    assert_explained("fastest", &world.explain(EXCHANGE));
    world.weather.insert(CCL, Weather { rtt_ms: 2, ..FAIR });
    world.pass(Duration::from_secs(6));
    assert_explained("overtaking", &world.explain(EXCHANGE));
}

#[test]
fn balanced_over_both() {
    let mut world = running(&[("[policy.sla]", "strategy = \"balanced\"\nweights = { kordia = 3 }\n[policy.sla]")]);
    assert_explained("balanced", &world.explain(EXCHANGE));
    world.cut_carrier("wan1", false);
    world.cut_carrier("wan1", true);
    world.pass(Duration::from_secs(4));
    assert_explained("joining", &world.explain(EXCHANGE));
}

#[test]
fn held_until_a_window_opens() {
    let mut world = running(&[("[policy.sla]", "move_windows = [\"22:00-05:00\"]\n[policy.sla]")]);
    // Noon of the first day when this began.
    world.engine.set_clock(Some(Duration::from_secs(12 * 3600 - 100)));
    world.cut_carrier("wan0", false);
    world.cut_carrier("wan0", true);
    world.pass(Duration::from_secs(30));
    assert_explained("window", &world.explain(EXCHANGE));
}

#[test]
fn held_by_the_cap_on_moves() {
    let mut world = running(&[("[policy.sla]", "moves_per_hour = 1\n[policy.sla]")]);
    for _ in 0..2 {
        world.cut_carrier("wan0", false);
        world.cut_carrier("wan0", true);
        world.pass(Duration::from_secs(30));
    }
    assert_explained("cap", &world.explain(EXCHANGE));
}

#[test]
fn unqualified_and_allowed_or_refused() {
    let unknown = ("partner = \"Kordia\"", "");
    let allowed = running(&[unknown, ("[policy.sla]", "allow_unqualified = true\n[policy.sla]")]);
    assert_explained("unqualified", &allowed.explain(EXCHANGE));
    assert_explained("refused", &running(&[unknown]).explain(EXCHANGE));
}

#[test]
fn kept_by_a_local_route() {
    let mut world = running(&[]);
    world.router.links.insert(IfIndex(9), link(IfIndex(9), "tun0"));
    world.router.routes = Arc::from([by_tunnel("13.107.6.0/24")]);
    world.read_router();
    assert_explained("kept", &world.explain(EXCHANGE));
}

#[test]
fn not_microsofts_and_not_steered() {
    assert_explained("foreign", &running(&[]).explain("192.0.2.77/32"));
    let text = "[destinations.microsoft365]\nservices = [\"exchange\"]\n";
    assert_explained("not-steered", &running_with(&[], text).explain("13.107.64.1/32"));
}

#[test]
fn decided_by_a_rule() {
    let more = r#"
[[policy.rule]]
name = "lab"
prefix = ["20.1.0.0/16"]
isps = ["ccl"]

[[destinations.static]]
name = "lab"
prefixes = ["20.1.0.0/16"]
"#;
    assert_explained("rule", &running_with(&[], more).explain("20.1.2.3/32"));
}

#[test]
fn of_two_rules_that_are_as_specific_the_first_and_the_tie() {
    let folder = tempfile::tempdir().unwrap();
    let tag = |name: &str, prefixes: &[&str]| {
        let properties = serde_json::json!({ "region": "", "systemService": "", "addressPrefixes": prefixes });
        serde_json::json!({ "name": name, "id": name, "properties": properties })
    };
    let tags = [tag("Sql", &["20.1.0.0/16"]), tag("Storage", &["20.1.0.0/16"]), tag("AzureCloud", &["20.0.0.0/11"])];
    let document = serde_json::json!({ "changeNumber": 7, "cloud": "Public", "values": tags });
    let file = folder.path().join("tags.json");
    std::fs::write(&file, document.to_string()).unwrap();
    let more = format!(
        r#"
[[policy.rule]]
name = "databases"
tag = ["Sql"]
isps = ["ccl"]

[[policy.rule]]
name = "disks"
tag = ["Storage"]
isps = ["kordia"]

[destinations.service_tags]
file = {file:?}
tags = ["Sql"]
"#
    );
    let mut explanation = running_with(&[], &more).explain("20.1.2.3/32");
    for said in explanation.destination.iter_mut().flat_map(|found| &mut found.statements) {
        said.origin = "tags.json".to_owned();
    }
    assert_explained("tie", &explanation);
}

#[test]
fn a_class_by_its_name() {
    let world = running(&[]);
    let snapshot = world.snapshot();
    let of = |id: &str| explanation_of_class(&world.engine, &snapshot, &ClassId::new(id), None, world.now);
    let found = of("m365.exchange.ipv4").unwrap();
    assert_eq!(
        (found.asked.as_deref(), found.class.unwrap().id.as_str()),
        (Some("m365.exchange.ipv4"), "m365.exchange.ipv4")
    );
    assert!(found.destination.unwrap().steered);
    assert_eq!(of("m365.exchagne.ipv4"), None);
}

#[test]
fn before_the_router_was_read_nothing_is_made_up() {
    let world = World::new();
    let found = world.explain(EXCHANGE);
    assert_eq!(found.conclusion, "the router was not read yet");
    assert_eq!((found.outlook, found.class.unwrap().candidates), (Vec::new(), Vec::new()));
}
