//! Golden files: what people see, to the letter. After an intended change, run the tests with `PEERWARD_BLESS=1` and
//! read the difference.

use std::{env, fs, path::PathBuf};

use serde_json::json;

use crate::{
    cli::{doctor, explain, output::Style, paths, routes, status},
    doctor::{Finding, Grade, Topic},
    domain::view::{Explanation, FlowsLeft, KeptView, KernelView, PathReport, Snapshot},
};

const PLAIN: Style = Style { colour: false, unicode: false, width: None };
const COLOUR: Style = Style { colour: true, unicode: false, width: None };

fn snapshot() -> Snapshot {
    serde_json::from_str(include_str!("snapshot.json")).unwrap()
}

fn reports() -> Vec<PathReport> {
    serde_json::from_str(include_str!("paths.json")).unwrap()
}

fn explanation() -> Explanation {
    serde_json::from_str(include_str!("explanation.json")).unwrap()
}

pub(crate) fn assert_golden(name: &str, actual: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/cli/golden").join(name);
    if env::var_os("PEERWARD_BLESS").is_some() {
        fs::write(&file, actual).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert!(actual == expected, "{name} differs; expected:\n{expected}\nactual:\n{actual}");
}

#[test]
fn status_of_a_working_branch() {
    assert_golden("status.txt", &status::render(&snapshot(), PLAIN));
}

#[test]
fn status_says_first_what_is_wrong() {
    let mut snapshot = snapshot();
    snapshot.kernel.in_step = false;
    snapshot.kernel.error = Some("cannot add route 13.107.6.152/31: operation not permitted".to_owned());
    snapshot.kernel.flows.left = vec![FlowsLeft { class: snapshot.classes[0].id.clone(), flows: 3 }];
    snapshot.classes[0].in_kernel = Some("wan1".to_owned());
    snapshot.classes[2].in_kernel = None;
    for uplink in snapshot.isps.iter_mut().flat_map(|isp| &mut isp.uplinks) {
        uplink.state = crate::domain::PathState::Down;
    }
    let reporting = snapshot.reporting.as_mut().unwrap();
    reporting.state = "failing".to_owned();
    reporting.dropped_batches = 3;
    reporting.error = Some("collector answered 503: \x1b[31mgo away\r\n".to_owned());
    let watched = snapshot.passive.iter_mut().flat_map(|passive| &mut passive.uplinks).next().unwrap();
    (watched.watching, watched.state) = (false, "unavailable: not permitted: give the agent CAP_NET_RAW".to_owned());
    let text = status::render(&snapshot, PLAIN);
    assert!(!text.contains('\x1b'), "quoted bytes reach the terminal");
    assert_golden("status-troubled.txt", &text);
}

#[test]
fn status_of_a_branch_that_observes() {
    let mut snapshot = snapshot();
    snapshot.mode = "observe".to_owned();
    snapshot.reporting = None;
    snapshot.kernel = KernelView { fresh: true, ..KernelView::default() };
    for class in &mut snapshot.classes {
        class.in_kernel = None;
    }
    let text = status::render(&snapshot, PLAIN);
    assert!(!text.contains("attention"), "an empty table is as it should be:\n{text}");
    assert_golden("status-observe.txt", &text);
}

#[test]
fn status_after_a_withdrawal_explains_the_empty_tables_once() {
    let mut snapshot = snapshot();
    snapshot.kernel.withdrawn = true;
    for class in &mut snapshot.classes {
        class.in_kernel = None;
    }
    let text = status::render(&snapshot, PLAIN);
    assert_eq!(text.matches("attention").count(), 1, "{text}");
    assert!(text.contains("restart the agent to steer again"), "{text}");
}

#[test]
fn status_before_anything_is_known_is_still_readable() {
    assert_golden("status-empty.txt", &status::render(&Snapshot::default(), PLAIN));
}

#[test]
fn colour_marks_states_and_changes_no_letter() {
    let painted = status::render(&snapshot(), COLOUR);
    for word in ["\x1b[32mup\x1b[0m", "\x1b[33mdegraded\x1b[0m", "\x1b[31mdown\x1b[0m"] {
        assert!(painted.contains(word), "{word:?} in {painted:?}");
    }
    let stripped =
        ["\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"].iter().fold(painted, |text, it| text.replace(it, ""));
    assert_eq!(stripped, status::render(&snapshot(), PLAIN));

    let reports = reports();
    let reports: Vec<&PathReport> = reports.iter().collect();
    let painted = paths::render_with_details(&reports, COLOUR);
    let stripped =
        ["\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"].iter().fold(painted, |text, it| text.replace(it, ""));
    assert_eq!(stripped, paths::render_with_details(&reports, PLAIN));
}

#[test]
fn paths_with_their_figures_and_what_users_felt_apart() {
    let reports = reports();
    let reports: Vec<&PathReport> = reports.iter().collect();
    assert_golden("paths.txt", &paths::render(&reports, PLAIN));
    assert_golden("paths-narrow.txt", &paths::render(&reports, Style { width: Some(100), unicode: true, ..PLAIN }));
}

#[test]
fn no_screen_is_too_narrow_for_paths() {
    let reports = reports();
    let reports: Vec<&PathReport> = reports.iter().take(1).collect();
    for width in [1, 40, 64, 79, 80, 120, 150, 200] {
        let text = paths::render(&reports, Style { width: Some(width), ..PLAIN });
        let longest =
            text.lines().take_while(|line| !line.is_empty()).map(|line| line.chars().count()).max().unwrap();
        assert!(longest <= width.max(64), "{longest} columns on a screen of {width}:\n{text}");
        assert!(text.starts_with("CLASS ") && text.contains("m365.exchange.ipv4  wan0"), "{text}");
    }
}

#[test]
fn some_paths_with_all_that_is_known_of_them() {
    let mut reports = reports();
    reports[0].path.evidence.push_str(" \x1b[31m");
    let reports: Vec<&PathReport> = reports.iter().filter(|it| it.path.class.as_str().contains(".ipv4")).collect();
    let text = paths::render_with_details(&reports, PLAIN);
    assert!(!text.contains('\x1b'), "quoted bytes reach the terminal");
    assert_golden("paths-details.txt", &text);
    let unicode = Style { unicode: true, ..PLAIN };
    assert_golden("paths-details-unicode.txt", &paths::render_with_details(&reports[..1], unicode));
}

#[test]
fn no_paths_yet_is_said_in_words() {
    assert!(paths::render(&[], PLAIN).starts_with("There are no paths"));
}

#[test]
fn paths_of_an_older_agent_are_still_read() {
    let bare = serde_json::to_value(&snapshot().paths[0]).unwrap();
    let mut older = bare.as_object().unwrap().clone();
    older.extend(
        [("targets", json!([])), ("windows", json!([])), ("trend", json!([]))].map(|(k, v)| (k.to_owned(), v)),
    );
    let report: PathReport = serde_json::from_value(older.into()).unwrap();
    assert!(paths::render_with_details(&[&report], PLAIN).contains("none: this path cannot be probed"));
}

#[test]
fn routes_with_their_sum() {
    assert_golden("routes.txt", &routes::render(&snapshot(), PLAIN));
}

#[test]
fn routes_with_what_the_routers_own_keep() {
    let mut snapshot = snapshot();
    let why = "the router's own route by tun0 (table 254, protocol 186, metric 20)".to_owned();
    snapshot.classes[0].kept_prefixes = vec![KeptView { prefix: "13.107.6.0/24".parse().unwrap(), why }];
    snapshot.classes[0].kept = 3;
    assert_golden("routes-kept.txt", &routes::render(&snapshot, PLAIN));
}

#[test]
fn explanation_of_an_older_agent_is_still_read_and_shown() {
    assert_golden("explain.txt", &explain::render(&explanation(), PLAIN));
}

#[test]
fn explanation_of_foreign_space() {
    let explanation = Explanation {
        query: "192.0.2.0/24".parse().unwrap(),
        asked: None,
        destination: None,
        ruling: None,
        class: None,
        outlook: Vec::new(),
        kept: None,
        conclusion: "not known as Microsoft's: left to the router's own routes".to_owned(),
        kernel_lookup: None,
    };
    assert_golden("explain-foreign.txt", &explain::render(&explanation, PLAIN));
}

#[test]
fn snapshot_of_an_older_agent_is_still_read() {
    let mut older: serde_json::Value = serde_json::from_str(include_str!("snapshot.json")).unwrap();
    older["kernel"].as_object_mut().unwrap().remove("withdrawn");
    assert_eq!(serde_json::from_value::<Snapshot>(older).unwrap(), snapshot());
}

#[test]
fn findings_of_the_doctor_worst_first_and_what_is_well_in_a_line() {
    let findings = [
        Finding::new(
            Grade::Error,
            Topic::Rules,
            "Tailscale: rules stand before Peerward's rules (7700) and take all forwarded traffic: `5270: from all \
             lookup 52` (both families)",
            "all forwarded traffic never reaches Peerward's tables: it is not steered, whatever `peerward status` \
             decides",
            "to let Peerward go first: in [kernel] set probe_rule_preference = 720, rule_preference = 730, \
             backup_rule_preference = 731",
        ),
        Finding::new(
            Grade::Warning,
            Topic::Uplinks,
            "wan1: there is no interface \x1b[31mwan1",
            "the uplink is not usable",
            "`ip link` shows what there is",
        ),
        Finding::new(
            Grade::Advice,
            Topic::CompatMode,
            "net.ipv4.nexthop_compat_mode = 1",
            "moves take longer",
            "`sysctl -w net.ipv4.nexthop_compat_mode=0`",
        ),
        Finding::skipped(Topic::Agents, "cannot ask the agent: permission denied"),
        Finding::ok(Topic::Protocol, "nobody else is known to have protocol number 77"),
        Finding::ok(Topic::Forwarding, "IPv4 is forwarded (net.ipv4.ip_forward = 1)"),
    ];
    let text = doctor::render(&findings, PLAIN);
    assert!(!text.contains('\x1b'), "quoted bytes reach the terminal");
    assert_golden("doctor.txt", &text);
}
