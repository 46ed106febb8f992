//! Policy as users write it, from the TOML to the packets: the real binary on a router in namespaces.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a missing key of a JSON answer is null, and fails the assertion"
)]

use std::{
    collections::BTreeSet,
    fs,
    net::UdpSocket,
    process::ExitCode,
    thread::sleep,
    time::{Duration, Instant},
};

use libtest_mimic::{Arguments, Failed, Trial};
use peerward_lab::{Agent, AgentSettings, Branch, LabError, MICROSOFT_IPV4, PathProfile};
use serde_json::Value;

const MS: Duration = Duration::from_millis(1);
/// The preferred ISP; the main table prefers the other.
const NORTH: usize = 0;
const SOUTH: usize = 1;
const EXCHANGE: &str = "m365.exchange.ipv4";
/// Long enough for the slowest machine; nothing waits for its end when all is well.
const PATIENCE: Duration = Duration::from_secs(45);

fn main() -> Result<ExitCode, LabError> {
    peerward_lab::enter()?;
    let trials = vec![
        Trial::test("a_balanced_class_takes_both_isps_and_each_alone_when_the_other_is_gone", balanced),
        Trial::test("the_fastest_isp_takes_over_by_its_margin_and_the_cap_holds_what_comes_after", fastest),
        Trial::test("a_plan_tells_what_a_restart_then_does_and_changes_nothing_itself", plan),
    ];
    let mut arguments = Arguments::from_args();
    // Each trial is a network and an agent of its own that mostly wait; more at once would measure the machine.
    arguments.test_threads = Some(arguments.test_threads.unwrap_or(4).min(4));
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

struct Scene {
    branch: Branch,
    agent: Agent,
}

impl Scene {
    fn set(settings: &AgentSettings) -> Result<Self, Failed> {
        let branch = Branch::builder().build()?;
        let mut agent = Agent::with_binary(&branch, env!("CARGO_BIN_EXE_peerward").into(), settings)?;
        agent.start()?;
        Ok(Self { branch, agent })
    }

    fn wait(&mut self, what: &str, condition: impl Fn(&Self) -> bool) -> Result<(), Failed> {
        let deadline = Instant::now() + PATIENCE;
        while !condition(self) {
            self.agent.check_running()?;
            if Instant::now() > deadline {
                let class = self.class(EXCHANGE);
                return Err(format!("not within {PATIENCE:?}: {what}\n{class:#}\n{}", self.agent.log_tail()).into());
            }
            sleep(20 * MS);
        }
        Ok(())
    }

    /// A class in `status --json`.
    fn class(&self, id: &str) -> Value {
        let status = self.agent.status().unwrap_or_default();
        let classes = status["classes"].as_array().cloned().unwrap_or_default();
        classes.into_iter().find(|class| class["id"] == id).unwrap_or_default()
    }

    /// Whether the decision for Exchange, and what the kernel holds, is that.
    fn is_on(&self, uplinks: &str) -> bool {
        let class = self.class(EXCHANGE);
        class["uplink"] == uplinks && class["in_kernel"] == uplinks
    }

    /// By which ISP each flow of the client leaves, in order.
    fn ways(&self, flows: &[UdpSocket]) -> Vec<usize> {
        let seen = || self.branch.seen(MICROSOFT_IPV4).map(|seen| seen.packets).unwrap_or_default();
        let way = |flow: &UdpSocket| {
            let (before, deadline) = (seen(), Instant::now() + PATIENCE);
            // A packet may be refused because of what an earlier one met.
            while flow.send(b"x").is_err() {}
            loop {
                let now = seen();
                let grown = (0..now.len()).find(|isp| now[*isp] > before.get(*isp).copied().unwrap_or_default());
                if let Some(isp) = grown {
                    return isp;
                }
                assert!(Instant::now() < deadline, "the packet did not arrive anywhere");
                sleep(MS / 5);
            }
        };
        flows.iter().map(way).collect()
    }

    fn flows(&self, count: usize) -> Vec<UdpSocket> {
        let open = || {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.connect((MICROSOFT_IPV4, 9)).unwrap();
            socket
        };
        self.branch.client().run(|| (0..count).map(|_| open()).collect())
    }
}

fn rule(strategy: &str) -> AgentSettings {
    let more = format!(
        "[[policy.rule]]\nname = \"mail\"\nservice = \"exchange\"\nisps = [\"north\", \"south\"]\n{strategy}\n"
    );
    AgentSettings { more, ..AgentSettings::default() }
}

fn balanced() -> Result<(), Failed> {
    let mut scene = Scene::set(&rule("strategy = \"balanced\""))?;
    scene.branch.router().sysctl("net/ipv4/fib_multipath_hash_policy", "1")?;
    scene.wait("exchange is on both", |scene| scene.is_on("wan0+wan1"))?;
    scene.wait("no rule is for skype", |scene| scene.class("m365.skype.ipv4")["in_kernel"] == "wan0")?;
    let flows = scene.flows(60);
    let all = |ways: &[usize]| ways.iter().copied().collect::<BTreeSet<usize>>();
    let first = scene.ways(&flows);
    assert_eq!(all(&first), [NORTH, SOUTH].into(), "{first:?}");

    scene.agent.kill()?;
    scene.agent.start()?;
    scene.wait("the new agent answers", |scene| scene.is_on("wan0+wan1"))?;
    assert_eq!(scene.ways(&flows), first, "a restart moves no flow");

    scene.branch.cut(NORTH)?;
    scene.wait("exchange is on the other alone", |scene| scene.is_on("wan1"))?;
    let alone = scene.ways(&flows);
    assert_eq!(all(&alone), [SOUTH].into());
    scene.branch.mend(NORTH)?;
    scene.wait("exchange is on both again", |scene| scene.is_on("wan0+wan1"))?;
    let strayed = scene.ways(&flows).iter().filter(|way| **way == NORTH).count();
    assert!(strayed <= flows.len() / 10, "{strayed} flows in use moved");
    assert_eq!(all(&scene.ways(&scene.flows(60))), [NORTH, SOUTH].into(), "new flows take both");
    Ok(())
}

fn fastest() -> Result<(), Failed> {
    let keys = "strategy = \"fastest\"\nmargin = \"5ms\"\nmargin_share = \"10%\"\nmoves_per_hour = 1\n\
                [policy.rule.sla]\nrtt = \"off\"";
    let mut scene = Scene::set(&rule(keys))?;
    scene.branch.fabric().isp(SOUTH).set(PathProfile::round_trip(20 * MS));
    scene.wait("exchange is on the faster one", |scene| scene.is_on("wan0"))?;
    scene.branch.fabric().isp(NORTH).set(PathProfile::round_trip(60 * MS));
    scene.wait("the other one has been faster for long enough", |scene| scene.is_on("wan1"))?;
    let events = fs::read_to_string(scene.agent.log())?;
    assert!(events.contains("for the faster"), "{}", scene.agent.log_tail());
    scene.branch.fabric().isp(NORTH).set(PathProfile::round_trip(MS));
    scene.wait("the cap holds the second move", |scene| {
        scene.class(EXCHANGE)["reason"].as_str().is_some_and(|reason| reason.contains("moves_per_hour"))
    })?;
    assert!(scene.is_on("wan1"));
    scene.branch.cut(SOUTH)?;
    scene.wait("what is dead is left all the same", |scene| scene.is_on("wan0"))
}

/// Everything of the router's that a plan could have touched.
fn kernel(scene: &Scene) -> String {
    let commands: [&[&str]; 3] = [&["rule"], &["route", "show", "table", "all"], &["nexthop"]];
    let shown = commands.iter().map(|arguments| {
        let output =
            scene.branch.router().run(|| std::process::Command::new("ip").args(*arguments).output()).unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    });
    shown.collect()
}

fn plan() -> Result<(), Failed> {
    let mut scene = Scene::set(&AgentSettings::default())?;
    scene.wait("exchange is on the preferred ISP", |scene| scene.is_on("wan0"))?;
    scene.wait("every path is up and every class has its backup", |scene| {
        let status = scene.agent.status().unwrap_or_default();
        let all = |what: &str, key: &str, value: &str| {
            let rows = status[what].as_array().cloned().unwrap_or_default();
            !rows.is_empty() && rows.iter().all(|row| row[key] == value)
        };
        status["kernel"]["in_step"] == true && all("paths", "state", "up") && all("classes", "backup", "wan1")
    })?;
    let socket = scene.agent.socket();
    let new = scene.agent.config().with_file_name("new.toml");
    fs::write(&new, rule("").more.replace("[\"north\", \"south\"]", "[\"south\"]"))?;
    let text = format!("{}{}", AgentSettings::default().to_toml(&socket), fs::read_to_string(&new)?);
    fs::write(&new, &text)?;

    let before = kernel(&scene);
    let outcome = scene.agent.ask("plan", &[&new.to_string_lossy()])?;
    assert_eq!(kernel(&scene), before, "a plan changes nothing");
    let classes = outcome["classes"].as_array().cloned().unwrap_or_default();
    let moving: Vec<&Value> = classes.iter().filter(|class| class["moves"] == true).collect();
    let names: Vec<&str> = moving.iter().filter_map(|class| class["class"].as_str()).collect();
    assert_eq!(names, [EXCHANGE, "m365.exchange.ipv6"], "{outcome:#}");
    assert!(moving.iter().all(|class| class["from"] == "wan0" && class["to"] == "wan1"), "{outcome:#}");
    assert_eq!(outcome["concerns"], Value::Array(Vec::new()), "{outcome:#}");

    scene.agent.terminate()?;
    scene.agent.write_config(&text)?;
    scene.agent.start()?;
    scene.wait("exchange is where the plan said", |scene| scene.is_on("wan1"))?;
    scene.wait("its backup too", |scene| scene.class(EXCHANGE)["backup"] == "wan0")?;
    assert_eq!(scene.class("m365.skype.ipv4")["in_kernel"], "wan0");
    let writes = |scene: &Scene| scene.agent.status().unwrap_or_default()["kernel"]["writes"].clone();
    let planned = outcome["kernel"]["changes"].clone();
    scene.wait("as much was written as planned", |scene| writes(scene) == planned)?;
    sleep(500 * MS);
    assert_eq!(writes(&scene), planned, "and no more: {outcome:#}");
    Ok(())
}
