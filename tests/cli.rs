//! The binary as people and scripts meet it: exit codes, messages, and answers of a running agent.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends where something is missing; so may its scenery"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Arc,
    thread,
};

use peerward::{
    domain::view::{Explanation, Snapshot},
    local::{Answer, ControlSocket, Forwarded, LocalError, Request, ask},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    runtime::Builder,
    sync::{mpsc, oneshot, watch},
};

const SNAPSHOT: &str = include_str!("../src/cli/golden/snapshot.json");
const PATHS: &str = include_str!("../src/cli/golden/paths.json");
const EXPLANATION: &str = include_str!("../src/cli/golden/explain/preferred.json");

/// The smallest good configuration.
const GOOD: &str = r#"
[site]
name = "tyo-branch-01"
market = "Japan"

[[isp]]
name = "iij"
partner = "IIJ"

[[isp.uplink]]
interface = "wan0"

[policy]
preferred = "iij"
"#;

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peerward"));
    // Nothing of the caller's environment may show.
    command.args(arguments).env_remove("PEERWARD_LOG").env_remove("JOURNAL_STREAM").stdin(Stdio::null());
    command
}

fn peerward(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", out(output), err(output)))
}

fn assert_ends(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "stdout: {}\nstderr: {}", out(output), err(output));
}

fn written(folder: &TempDir, text: &str) -> String {
    let path = folder.path().join("peerward.toml");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// An agent as far as the control socket goes, in this process.
struct Served {
    _folder: TempDir,
    socket: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Served {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("control.sock");
        let bound = ControlSocket::bind(&socket).unwrap();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(agent(bound, stopped));
        });
        Self { _folder: folder, socket, stop: Some(stop), thread: Some(thread) }
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        let mut all = vec!["--socket", self.socket.to_str().unwrap()];
        all.extend(arguments);
        peerward(&all)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || thread::panicking());
    }
}

async fn agent(socket: ControlSocket, stopped: oneshot::Receiver<()>) {
    let snapshot: Snapshot = serde_json::from_str(SNAPSHOT).unwrap();
    let (_sender, receiver) = watch::channel(Arc::new(snapshot));
    let (forward, mut forwarded) = mpsc::channel::<Forwarded>(1);
    let answering = async {
        while let Some((request, back)) = forwarded.recv().await {
            back.send(answer(&request)).unwrap();
        }
    };
    tokio::select! {
        () = socket.serve(receiver, forward) => panic!("the socket ended by itself"),
        () = answering => panic!("nobody forwards any more"),
        _ = stopped => (),
    }
}

fn answer(request: &Request) -> Answer {
    match request {
        Request::Snapshot => unreachable!("answered by the socket itself"),
        Request::Explain { query, from: None } if query.to_string() == "13.107.6.152/32" => {
            Answer::Explanation(Box::new(serde_json::from_str::<Explanation>(EXPLANATION).unwrap()))
        }
        Request::Explain { query, .. } => Answer::Error { reason: format!("cannot look up {query}: no route") },
        Request::Paths => Answer::Paths(serde_json::from_str(PATHS).unwrap()),
        Request::Withdraw => Answer::Withdrawn { removed: 5 },
    }
}

#[test]
fn help_is_what_it_was() {
    let output = peerward(&["--help"]);
    assert_ends(&output, 0);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/golden/help.txt");
    if std::env::var_os("PEERWARD_BLESS").is_some() {
        fs::write(&file, &output.stdout).unwrap();
    }
    let expected = fs::read_to_string(file).unwrap();
    assert!(out(&output) == expected, "expected:\n{expected}\nactual:\n{}", out(&output));
}

#[test]
fn doctor_refuses_a_bad_configuration_before_it_looks_at_anything() {
    let folder = TempDir::new().unwrap();
    let output = peerward(&["doctor", "--config", &written(&folder, "nonsense = 1")]);
    assert_ends(&output, 4);
    assert!(err(&output).contains("nonsense"), "{}", err(&output));
}

#[test]
fn wrong_usage_is_exit_2_with_a_suggestion() {
    for (arguments, hint) in [
        (&["sttus"][..], "status"),
        (&["status", "--jsn"], "--json"),
        (&["explain", "nonsense"], "such as 13.107.6.152"),
        (&["run", "--log-level", "loud"], "debug"),
        (&[], "Usage"),
    ] {
        let output = peerward(arguments);
        assert_ends(&output, 2);
        assert!(err(&output).contains(hint), "{arguments:?}: {}", err(&output));
        assert_eq!(out(&output), "", "{arguments:?}");
    }
}

#[test]
fn version_is_known_to_people_and_scripts() {
    let output = peerward(&["version", "--json"]);
    assert_ends(&output, 0);
    assert_eq!(json(&output)["version"], env!("CARGO_PKG_VERSION"));
    assert!(out(&peerward(&["version"])).starts_with(concat!("peerward ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn bad_configuration_is_exit_4_with_file_line_and_column() {
    let folder = TempDir::new().unwrap();
    let file = written(&folder, &GOOD.replace("market", "markt"));
    let place = format!("{file}:4:1");
    for arguments in [
        &["check", &file][..],
        &["run", "--config", &file],
        &["status", "--config", &file],
        &["withdraw", "--config", &file],
    ] {
        let output = peerward(arguments);
        assert_ends(&output, 4);
        assert!(err(&output).contains(&place), "{arguments:?}: {}", err(&output));
    }
    let output = peerward(&["check", &file, "--json"]);
    assert_ends(&output, 4);
    let findings = json(&output);
    assert_eq!(findings["ok"], false);
    let unknown = findings["findings"].as_array().unwrap().iter().find(|it| it["line"] == 4).unwrap();
    assert_eq!(unknown["key"], "site.markt");
    assert_eq!(unknown["column"], 1);
}

#[test]
fn text_that_is_no_toml_and_a_file_that_is_not_there_are_exit_4() {
    let folder = TempDir::new().unwrap();
    let file = written(&folder, "[site\n");
    let output = peerward(&["check", &file]);
    assert_ends(&output, 4);
    assert!(err(&output).contains(&format!("{file}:1:")), "{}", err(&output));
    let output = peerward(&["check", "/nonexistent/peerward.toml"]);
    assert_ends(&output, 4);
    assert!(err(&output).contains("/nonexistent/peerward.toml"), "{}", err(&output));
}

#[test]
fn refused_catalogue_is_exit_4_and_names_its_file() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("m365.json"), "[{\"id\": 1,").unwrap();
    let file = written(&folder, &format!("{GOOD}\n[destinations.microsoft365]\nsource = \"m365.json\"\n"));
    let output = peerward(&["check", &file]);
    assert_ends(&output, 4);
    assert!(err(&output).contains("m365.json"), "{}", err(&output));
    let output = peerward(&["check", "--json", &file]);
    assert_ends(&output, 4);
    assert!(json(&output)["findings"][0]["problem"].as_str().unwrap().contains("m365.json"));
}

#[test]
fn refused_trust_anchors_are_exit_4_and_name_their_file() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("anchors.pem"), "nothing of the kind").unwrap();
    let file = written(&folder, &format!("{GOOD}\n[probe]\nca = \"anchors.pem\"\n"));
    let output = peerward(&["check", &file]);
    assert_ends(&output, 4);
    assert!(err(&output).contains("anchors.pem holds no certificate"), "{}", err(&output));
    let output = peerward(&["check", "--json", &file]);
    assert_ends(&output, 4);
    assert_eq!(json(&output)["findings"][0]["key"], "probe.ca");
}

#[test]
fn good_configuration_is_summarised() {
    let folder = TempDir::new().unwrap();
    let file = written(&folder, GOOD);
    let output = peerward(&["check", &file]);
    assert_ends(&output, 0);
    assert!(out(&output).starts_with(&format!("{file}: ok\n")), "{}", out(&output));
    assert!(out(&output).contains("m365.exchange.ipv4"), "{}", out(&output));

    let output = peerward(&["check", &file, "--json"]);
    assert_ends(&output, 0);
    let resolved = &json(&output)["resolved"];
    assert_eq!(resolved["mode"], "observe");
    assert_eq!(resolved["isps"][0]["qualified"], true);
    assert!(resolved["classes"].as_array().unwrap().iter().all(|class| class["prefixes"].as_u64() > Some(0)));
}

#[test]
fn effective_configuration_is_itself_a_good_one() {
    let folder = TempDir::new().unwrap();
    let output = peerward(&["check", "--effective", &written(&folder, GOOD)]);
    assert_ends(&output, 0);
    let effective = written(&folder, &out(&output));
    let again = peerward(&["check", "--effective", &effective]);
    assert_ends(&again, 0);
    assert_eq!(out(&again), out(&output));
}

#[test]
fn shipped_configurations_are_good() {
    for file in ["config/peerward.toml", "config/examples/branch-observe.toml"] {
        assert_ends(&command(&["check", file]).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap(), 0);
    }
}

#[test]
fn two_configurations_are_laid_side_by_side_on_any_machine() {
    let folder = TempDir::new().unwrap();
    let old = written(&folder, GOOD);
    let same = peerward(&["plan", "--config", &old, "--against", &old]);
    assert_ends(&same, 0);
    assert_eq!(out(&same).lines().next(), Some(format!("{old}: changes nothing against {old}").as_str()));

    let other = TempDir::new().unwrap();
    let rule = "\n[[policy.rule]]\nname = \"mail\"\nservice = \"exchange\"\nprefix = \"40.96.0.0/13\"\n";
    let new = written(&other, &format!("{GOOD}{rule}"));
    let output = peerward(&["plan", &new, "--against", &old, "--json"]);
    assert_ends(&output, 0);
    let classes = json(&output)["classes"].as_array().unwrap().clone();
    let part = classes.iter().find(|class| class["class"] == "m365.exchange+mail.ipv4").unwrap();
    assert_eq!((&part["now"], &part["moves"]), (&Value::from("m365.exchange.ipv4"), &Value::from(false)));

    let bad = peerward(&["plan", &written(&other, "[site]\nname = 7\n"), "--against", &old]);
    assert_ends(&bad, 4);
    assert!(err(&bad).contains("site.name"), "{}", err(&bad));
    assert_ends(&peerward(&["plan", &old, "--socket", "/nowhere/control.sock"]), 3);
}

#[test]
fn nobody_there_is_exit_3_and_says_what_to_do() {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("control.sock");
    let socket = socket.to_str().unwrap();
    for arguments in [&["status"][..], &["paths", "--json"], &["routes"], &["explain", "13.107.6.152"]] {
        let mut all = vec!["--socket", socket];
        all.extend(arguments);
        let output = peerward(&all);
        assert_ends(&output, 3);
        assert!(err(&output).contains(&format!("no agent answers on {socket}")), "{}", err(&output));
        assert!(err(&output).contains("peerward run"), "{}", err(&output));
        assert_eq!(out(&output), "");
    }
}

#[test]
fn socket_is_found_by_the_configuration() {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("elsewhere.sock");
    let file = written(&folder, &format!("{GOOD}\n[control]\nsocket = {socket:?}\n"));
    let output = peerward(&["status", "--config", &file]);
    assert_ends(&output, 3);
    assert!(err(&output).contains(socket.to_str().unwrap()), "{}", err(&output));
}

#[test]
fn running_agent_is_shown_as_tables_and_as_json() {
    let served = Served::start();
    for (subcommand, golden) in [
        (&["status"][..], include_str!("../src/cli/golden/status.txt")),
        (&["paths"], include_str!("../src/cli/golden/paths.txt")),
        (&["routes"], include_str!("../src/cli/golden/routes.txt")),
        (&["explain", "13.107.6.152"], include_str!("../src/cli/golden/explain/preferred.txt")),
    ] {
        let output = served.ask(subcommand);
        assert_ends(&output, 0);
        assert_eq!(out(&output), golden, "{subcommand:?}: no terminal, no colour");
    }
    let snapshot: Value = serde_json::from_str(SNAPSHOT).unwrap();
    assert_eq!(json(&served.ask(&["status", "--json"])), snapshot);
    let paths: Value = serde_json::from_str(PATHS).unwrap();
    assert_eq!(json(&served.ask(&["paths", "--json"]))["paths"], paths);
    assert_eq!(json(&served.ask(&["paths", "--json"]))["site"], snapshot["site"]);
    assert_eq!(json(&served.ask(&["routes", "--json"]))["classes"], snapshot["classes"]);
    let explanation: Value = serde_json::from_str(EXPLANATION).unwrap();
    assert_eq!(json(&served.ask(&["explain", "13.107.6.152", "--json"])), explanation);
}

#[test]
fn some_paths_are_shown_with_their_details_for_people_and_scripts() {
    let served = Served::start();
    let output = served.ask(&["paths", "m365.exchange.ipv4", "--uplink", "wan0"]);
    assert_ends(&output, 0);
    for words in ["m365.exchange.ipv4 by wan0 (iij), used", "handshakes of users: 412", "6h (so far 2 h 3 min)"] {
        assert!(out(&output).contains(words), "{words:?} in {}", out(&output));
    }
    assert!(!out(&output).contains("wan1"), "{}", out(&output));
    let paths: Value = serde_json::from_str(PATHS).unwrap();
    let output = served.ask(&["paths", "--json", "--uplink", "wan1"]);
    assert_eq!(json(&output)["paths"], Value::from(vec![paths[1].clone(), paths[4].clone()]));
    assert!(out(&served.ask(&["paths"])).is_ascii(), "no terminal, no letters beyond ASCII");
}

#[test]
fn class_that_is_not_there_is_exit_2_and_names_what_may_have_been_meant() {
    let output = Served::start().ask(&["explain", "m365.exchagne.ipv4"]);
    assert_ends(&output, 2);
    assert!(err(&output).contains("did you mean \"m365.exchange.ipv4\"?"), "{}", err(&output));
    assert_eq!(out(&output), "");
}

#[test]
fn class_that_is_there_is_asked_for_by_its_name() {
    let output = Served::start().ask(&["explain", "m365.exchange.ipv4"]);
    assert_ends(&output, 1);
    assert!(err(&output).contains("cannot look up m365.exchange.ipv4: no route"), "{}", err(&output));
}

#[test]
fn path_that_is_not_there_is_exit_2_and_names_what_may_have_been_meant() {
    let served = Served::start();
    for (arguments, hint) in [
        (&["paths", "m365.exchagne.ipv4"][..], "did you mean \"m365.exchange.ipv4\"?"),
        (&["paths", "--uplink", "lan0"], "\"wan0\""),
        (&["paths", "azure", "--uplink", "wan1"], "uplink \"wan1\" has no path of class \"azure\""),
    ] {
        let output = served.ask(arguments);
        assert_ends(&output, 2);
        assert!(err(&output).contains(hint), "{arguments:?}: {}", err(&output));
        assert_eq!(out(&output), "");
    }
}

#[test]
fn refusal_of_the_agent_is_exit_1_with_its_reason() {
    let output = Served::start().ask(&["explain", "192.0.2.1"]);
    assert_ends(&output, 1);
    assert!(err(&output).contains("cannot look up 192.0.2.1/32: no route"), "{}", err(&output));
}

#[test]
fn running_agent_withdraws_on_request() {
    let served = Served::start();
    let output = served.ask(&["withdraw"]);
    assert_ends(&output, 0);
    assert!(out(&output).starts_with("5 objects removed"), "{}", out(&output));
    let output = served.ask(&["withdraw", "--json"]);
    assert_eq!(json(&output)["removed"], 5);
    assert_eq!(json(&output)["by"], "agent");
}

#[test]
fn withdrawal_beside_a_running_agent_is_refused_even_when_it_was_asked_at_the_wrong_socket() {
    let served = Served::start();
    let folder = TempDir::new().unwrap();
    let file = written(&folder, &format!("{GOOD}\n[control]\nsocket = {:?}\n", served.socket));
    let wrong = folder.path().join("wrong.sock");
    let output = peerward(&["withdraw", "--config", &file, "--socket", wrong.to_str().unwrap()]);
    assert_ends(&output, 1);
    assert!(err(&output).contains("another peerward is running"), "{}", err(&output));
}

#[test]
fn withdrawal_without_agent_and_configuration_knows_not_what_to_remove() {
    let folder = TempDir::new().unwrap();
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let output = peerward(&["withdraw", "--config", &place("none.toml"), "--socket", &place("none.sock")]);
    assert_ends(&output, 4);
    assert!(err(&output).contains("it is not known what is peerward's"), "{}", err(&output));
}

#[test]
fn second_agent_on_the_socket_is_refused_and_the_first_goes_on() {
    let served = Served::start();
    assert!(matches!(ControlSocket::bind(&served.socket), Err(LocalError::Busy(_))));
    assert!(matches!(ask(&served.socket, &Request::Snapshot), Ok(Answer::Snapshot(_))));
}

#[test]
fn reader_that_has_seen_enough_is_no_failure() {
    let served = Served::start();
    let mut child = command(&["--socket", served.socket.to_str().unwrap(), "status"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_ends(&output, 0);
    assert_eq!(err(&output), "");
}

#[test]
fn full_disk_is_a_failure() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command(&["version"]).stdout(full).output().unwrap();
    assert_ends(&output, 1);
    assert!(err(&output).contains("standard output"), "{}", err(&output));
}

#[test]
fn unknown_level_in_the_environment_is_exit_2() {
    let folder = TempDir::new().unwrap();
    let file = written(&folder, GOOD);
    let output = command(&["run", "--config", &file]).env("PEERWARD_LOG", "loud").output().unwrap();
    assert_ends(&output, 2);
    assert!(err(&output).contains("PEERWARD_LOG=loud"), "{}", err(&output));
}
