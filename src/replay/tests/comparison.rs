//! One brown-out under two policies, and what people and programs are told of it.

use super::*;
use crate::cli::replay_in_words;

fn both() -> Vec<Candidate> {
    vec![
        policy("short.toml", CONFIG),
        policy("long.toml", &CONFIG.replace("leave_after = \"2s\"", "leave_after = \"5m\"")),
    ]
}

#[test]
fn who_waits_longer_moves_less_and_suffers_more() {
    let report = replayed(both(), &recorded());
    let [short, long] = report.policies.as_slice() else { panic!("{report:?}") };
    assert_eq!((short.moves.forced, short.moves.voluntary), (2, 2), "both classes left, and returned");
    assert_eq!((long.moves.forced, long.moves.voluntary), (0, 0));
    assert!(short.out_of_sla_s < 20.0 && long.out_of_sla_s > 100.0, "{} {}", short.out_of_sla_s, long.out_of_sla_s);
    assert!(short.rtt.p95_ms.unwrap() < 61.0 && long.rtt.p95_ms.unwrap() > 59.0);
    let differences = report.differences.as_ref().unwrap();
    assert_eq!(differences.len(), 2, "{differences:?}");
    for difference in differences {
        assert_eq!(difference.on, [Some("wan1".to_owned()), Some("wan0".to_owned())]);
        assert!(difference.lasted_s > 50.0, "{difference:?}");
    }
}

#[test]
fn all_time_is_accounted_for() {
    let report = replayed(both(), &recorded());
    for class in report.policies.iter().flat_map(|policy| &policy.classes) {
        let on: f64 = class.isps.iter().map(|share| share.on_s).sum();
        assert!((on + class.unsteered_s - class.decided_s).abs() < 0.01, "{class:?}");
        assert!((class.decided_s - 180.0).abs() < 0.01, "{class:?}");
    }
}

#[test]
fn the_same_recording_makes_the_same_report_to_the_letter() {
    let report = || serde_json::to_string_pretty(&replayed(both(), &recorded())).unwrap();
    assert_eq!(report(), report());
    assert_golden("report.json", &(report() + "\n"));
}

#[test]
fn two_policies_stand_side_by_side() {
    assert_golden("report.txt", &replay_in_words(&replayed(both(), &recorded())));
}

#[test]
fn a_policy_alone_has_no_differences() {
    let report = replayed(vec![policy("short.toml", CONFIG)], &recorded());
    assert_eq!(report.differences, None);
    assert_golden("alone.txt", &replay_in_words(&report));
}

#[test]
fn a_policy_with_itself_never_differs() {
    let report = replayed(vec![policy("a.toml", CONFIG), policy("b.toml", CONFIG)], &recorded());
    assert_eq!(report.differences, Some(Vec::new()));
}

#[test]
fn a_class_of_a_rule_goes_by_the_samples_of_the_whole() {
    let rule = "\n[[policy.rule]]\nname = \"relay-media\"\nprefix = [\"13.107.64.0/18\"]\nisps = [\"ccl\"]\n";
    let report =
        replayed(vec![policy("rules.toml", &format!("{CONFIG}{rule}")), policy("plain.toml", CONFIG)], &recorded());
    let rules = &report.policies[0];
    let notes = rules.notes.join("\n");
    assert!(
        notes.contains("relays+relay-media.ipv4 goes by the samples of") && notes.contains("relays.ipv4"),
        "{notes}"
    );
    let of_rule = rules.classes.iter().find(|class| class.class.as_str().contains("+relay-media")).unwrap();
    assert_eq!(of_rule.isps[0].isp, "ccl");
    let differed = report.differences.unwrap();
    assert!(differed.iter().any(|it| it.class == of_rule.class && it.lasted_s > 60.0), "{differed:?}");
}

#[test]
fn what_has_no_samples_is_said() {
    let other =
        CONFIG.replace("name = \"mail\"", "name = \"files\"").replace("interface = \"wan1\"", "interface = \"lte0\"");
    let report = replayed(vec![policy("other.toml", &other)], &recorded());
    let notes = report.policies[0].notes.join("\n");
    for told in ["files.ipv4 has no samples", "uplink lte0 is not in the recording", "wan1 of the recording is not"] {
        assert!(notes.contains(told), "{told}: {notes}");
    }
    assert_eq!(report.policies[0].moves.forced, 0, "there is nowhere to go");
}

#[test]
fn a_restart_of_the_agent_adopts_what_was_in_charge() {
    let first = recorded();
    let second = first.replace("\"start\":1000000", "\"start\":2000000").replace("[\"time\",1", "[\"time\",2");
    let report = replayed(both(), &[first, second].concat());
    assert_eq!(report.recording.runs, 2);
    let placed = report.policies[1].decisions.iter().filter(|it| it.from.is_none()).count();
    assert_eq!(placed, report.policies[1].classes.len(), "placed once, at the first start");
}
