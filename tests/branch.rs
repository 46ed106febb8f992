//! The whole agent on a branch router: the real binary, a real kernel, real packets of a client.

#![allow(clippy::indexing_slicing, reason = "a missing key of a JSON answer is null, and fails the assertion")]

use std::{
    net::IpAddr,
    process::ExitCode,
    thread::sleep,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use libtest_mimic::{Arguments, Failed, Trial};
use peerward_lab::{
    Agent, AgentSettings, Branch, ClientFlow, INTERNET_IPV4, INTERNET_IPV6, LabError, MAIN, MICROSOFT_IPV4,
    MICROSOFT_IPV6, PathProfile, Route, RouteRow, RuleRow,
};
use serde_json::Value;

/// Built by cargo for this very test.
const BINARY: &str = env!("CARGO_BIN_EXE_peerward");
const MS: Duration = Duration::from_millis(1);
const PRIMARY: u32 = 7700;
const BACKUP: u32 = 7701;
/// Route protocol number of the agent, by default.
const OURS: u8 = 77;
/// The preferred ISP; the main table prefers the other.
const NORTH: usize = 0;
const SOUTH: usize = 1;

fn main() -> Result<ExitCode, LabError> {
    peerward_lab::enter()?;
    let trials = vec![
        Trial::test("microsoft_goes_by_the_preferred_isp_and_nothing_else_does", preferred),
        Trial::test("a_brown_out_moves_microsoft_and_healing_brings_it_back", brown_out),
        Trial::test("a_cut_cable_moves_microsoft_to_the_other_isp", carrier),
        Trial::test("a_cut_cable_lets_no_packet_out_by_an_isp_that_was_not_chosen", never_astray),
        Trial::test("a_silent_black_hole_moves_microsoft_to_the_other_isp", black_hole),
        Trial::test("a_killed_agent_loses_no_packet_and_the_next_one_adopts", restart),
        Trial::test("the_standing_backup_works_while_the_agent_is_dead", dead_agent),
        Trial::test("an_agent_that_starts_on_the_standing_backup_leaves_traffic_there", start_on_backup),
        Trial::test("an_orderly_stop_keeps_the_routes_unless_told_otherwise", orderly_stop),
        Trial::test("observe_decides_but_writes_nothing", observe),
        Trial::test("withdraw_removes_exactly_what_is_ours", withdraw),
        Trial::test("withdraw_works_without_an_agent", withdraw_offline),
        Trial::test("on_stop_withdraw_leaves_nothing_behind", on_stop),
        Trial::test("what_others_remove_is_put_back", repair),
        Trial::test("an_interface_that_appears_later_is_picked_up", late_interface),
        Trial::test("a_re_created_interface_is_picked_up", recreated_interface),
        Trial::test("with_no_isp_up_at_start_the_agent_waits", no_isp_at_start),
        Trial::test("without_ipv6_only_ipv4_is_steered", no_ipv6),
        Trial::test("strict_reverse_path_filtering_does_not_matter", strict_rp_filter),
        Trial::test("explain_agrees_with_the_kernel", explain),
        Trial::test("a_second_agent_is_refused", second_agent),
        Trial::test("enforce_without_the_capability_says_how_to_grant_it", unprivileged),
    ];
    let mut arguments = Arguments::from_args();
    // Each trial is a network of its own with a client that counts packets: more than two at once measure the machine.
    arguments.test_threads = Some(arguments.test_threads.unwrap_or(2).min(2));
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

/// A branch with a running agent and two flows to Microsoft.
struct Scene {
    branch: Branch,
    agent: Agent,
    flows: [ClientFlow; 2],
}

impl Scene {
    fn set(settings: &AgentSettings) -> Result<Self, Failed> {
        let branch = Branch::builder().build()?;
        Self::on(branch, settings)
    }

    fn on(branch: Branch, settings: &AgentSettings) -> Result<Self, Failed> {
        let mut agent = Agent::with_binary(&branch, BINARY.into(), settings)?;
        agent.start()?;
        let flows = [
            ClientFlow::udp(branch.client(), MICROSOFT_IPV4, 5 * MS)?,
            ClientFlow::udp(branch.client(), MICROSOFT_IPV6, 5 * MS)?,
        ];
        Ok(Self { branch, agent, flows })
    }

    /// A scene in which the preferred ISP carries Microsoft, in the kernel and on the wire, with a backup in place.
    fn settled() -> Result<Self, Failed> {
        let mut scene = Self::set(&AgentSettings::default())?;
        scene.wait_until_on(NORTH)?;
        scene.wait("the backup table is filled", |scene| Ok(!scene.branch.router().routes(BACKUP)?.is_empty()))?;
        Ok(scene)
    }

    fn wait(&mut self, what: &str, condition: impl Fn(&Self) -> Result<bool, LabError>) -> Result<(), Failed> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            self.agent.check_running()?;
            if condition(self)? {
                return Ok(());
            }
            if Instant::now() > deadline {
                let status =
                    self.agent.status().map_or_else(|error| error.to_string(), |status| format!("{status:#}"));
                return Err(format!("not within 30 s: {what}\n{status}\n{}", self.agent.log_tail()).into());
            }
            sleep(10 * MS);
        }
    }

    fn wait_until_on(&mut self, isp: usize) -> Result<(), Failed> {
        self.wait(&format!("Microsoft leaves by wan{isp}"), |scene| {
            Ok(scene.is_seen_on(isp) && scene.is_in_step_on(isp))
        })
    }

    /// What the network sees of the client's packets.
    fn is_seen_on(&self, isp: usize) -> bool {
        [MICROSOFT_IPV4, MICROSOFT_IPV6].iter().all(|to| self.branch.seen(*to).map(|seen| seen.isp) == Some(isp))
    }

    /// What the agent says of all classes, and of the kernel.
    fn is_in_step_on(&self, isp: usize) -> bool {
        let Ok(status) = self.agent.status() else { return false };
        let wan = format!("wan{isp}");
        let classes = status["classes"].as_array().cloned().unwrap_or_default();
        !classes.is_empty()
            && classes.iter().all(|class| class["uplink"] == *wan && class["in_kernel"] == *wan)
            && status["kernel"]["in_step"] == true
    }

    fn ours(&self) -> Result<(Vec<RouteRow>, Vec<RuleRow>), LabError> {
        let router = self.branch.router();
        let mut routes = Vec::new();
        for table in [PRIMARY, BACKUP, 7710, 7711] {
            routes.extend(router.routes(table)?.into_iter().filter(|row| row.protocol == OURS));
        }
        let rules = router.rules()?.into_iter().filter(|row| row.protocol == Some(OURS)).collect();
        Ok((routes, rules))
    }

    /// Routes of the main table and rules that are not ours.
    fn foreign(&self) -> Result<(Vec<RouteRow>, Vec<RuleRow>), LabError> {
        let router = self.branch.router();
        let rules = router.rules()?.into_iter().filter(|row| row.protocol != Some(OURS)).collect();
        Ok((router.routes(MAIN)?, rules))
    }

    fn mark(&self) {
        self.flows.iter().for_each(ClientFlow::mark);
    }

    /// Packets lost by both flows since the mark, once all answers are in.
    fn lost(&self) -> u64 {
        self.flows.iter().map(|flow| flow.settled_since_mark().lost).sum()
    }

    fn longest_gap(&self) -> Duration {
        self.flows.iter().map(|flow| flow.settled_since_mark().longest_gap).max().unwrap_or_default()
    }
}

fn preferred() -> Result<(), Failed> {
    let mut scene = Scene::settled()?;
    let internet = [
        ClientFlow::udp(scene.branch.client(), INTERNET_IPV4, 5 * MS)?,
        ClientFlow::udp(scene.branch.client(), INTERNET_IPV6, 5 * MS)?,
    ];
    scene.wait("the rest of the internet answers", |_| {
        Ok(internet.iter().all(|flow| flow.since_mark().received > 20))
    })?;
    for address in [INTERNET_IPV4, INTERNET_IPV6] {
        assert_eq!(scene.branch.seen(address).map(|seen| seen.isp), Some(SOUTH), "{address}");
    }
    let rows = scene.branch.router().routes(PRIMARY)?;
    assert!(rows.iter().all(|row| row.protocol == OURS && row.nexthop.is_some() && !row.special), "{rows:?}");
    assert!(rows.iter().all(|row| row.destination.prefix_len() > 0), "no default route in a table of ours");
    Ok(())
}

fn brown_out() -> Result<(), Failed> {
    let mut scene = Scene::settled()?;
    scene.branch.fabric().isp(NORTH).set(PathProfile::round_trip(50 * MS).loss(0.05));
    scene.wait_until_on(SOUTH)?;
    let status = scene.agent.status()?;
    let reason = status["classes"][0]["reason"].as_str().unwrap_or_default().to_owned();
    assert!(reason.contains("RTT") || reason.contains("loss"), "the reason names the figure: {reason}");
    scene.branch.fabric().isp(NORTH).set(PathProfile::default());
    scene.wait_until_on(NORTH)
}

fn carrier() -> Result<(), Failed> {
    let mut scene = Scene::settled()?;
    scene.mark();
    scene.branch.cut(NORTH)?;
    scene.wait_until_on(SOUTH)?;
    let gap = scene.longest_gap();
    assert!(gap < Duration::from_secs(2), "gap of {gap:?}");
    scene.branch.mend(NORTH)?;
    scene.branch.add_default_routes(NORTH)?;
    scene.wait_until_on(NORTH)
}

/// The main table leads to the second ISP; chosen are the first and, behind it, the third.
fn never_astray() -> Result<(), Failed> {
    const EAST: usize = 2;
    let isps = [("north", "IIJ"), ("south", "KDDI"), ("east", "NTT Communications")];
    let settings = AgentSettings {
        isps: isps.map(|(name, partner)| (name.to_owned(), partner.to_owned())).to_vec(),
        preferred: vec!["north".to_owned(), "east".to_owned()],
        ..AgentSettings::default()
    };
    let mut scene = Scene::on(Branch::builder().isps(3).build()?, &settings)?;
    scene.wait_until_on(NORTH)?;
    scene.wait("east is the backup, in the kernel too", |scene| {
        let status = scene.agent.status()?;
        let classes = status["classes"].as_array().cloned().unwrap_or_default();
        let filled = !scene.branch.router().routes(BACKUP)?.is_empty() && status["kernel"]["in_step"] == true;
        Ok(filled && classes.iter().all(|class| class["backup"] == "wan2"))
    })?;
    let astray = |scene: &Scene| -> u64 {
        let seen = [MICROSOFT_IPV4, MICROSOFT_IPV6].map(|to| scene.branch.seen(to));
        seen.iter().flatten().map(|seen| seen.packets[SOUTH]).sum()
    };
    let before = astray(&scene);
    scene.branch.cut(NORTH)?;
    scene.wait_until_on(EAST)?;
    assert_eq!(astray(&scene), before, "packets by the ISP of the main table");
    Ok(())
}

fn black_hole() -> Result<(), Failed> {
    let mut scene = Scene::settled()?;
    scene.mark();
    scene.branch.fabric().isp(NORTH).set(PathProfile::default().blackhole());
    scene.wait_until_on(SOUTH)?;
    let gap = scene.longest_gap();
    assert!(gap < Duration::from_secs(5), "gap of {gap:?}");
    Ok(())
}

fn restart() -> Result<(), Failed> {
    let mut scene = Scene::settled()?;
    let before = scene.ours()?;
    scene.mark();
    scene.agent.kill()?;
    sleep(300 * MS);
    assert_eq!(scene.ours()?, before, "a killed agent leaves the kernel as it is");
    scene.agent.start()?;
    scene.wait_until_on(NORTH)?;
    sleep(500 * MS);
    assert_eq!(scene.lost(), 0, "packets lost over kill and restart");
    assert_eq!(scene.ours()?, before, "the next start adopts what it finds");
    let status = scene.agent.status()?;
    assert_eq!(status["kernel"]["writes"], 0, "and writes nothing");
    Ok(())
}

fn dead_agent() -> Result<(), Failed> {
    let mut scene = Scene::settled()?;
    scene.agent.kill()?;
    scene.mark();
    scene.branch.cut(NORTH)?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while !scene.is_seen_on(SOUTH) {
        assert!(Instant::now() < deadline, "the kernel did not fall back to the backup table");
        sleep(5 * MS);
    }
    sleep(100 * MS);
    let gap = scene.longest_gap();
    assert!(gap < Duration::from_secs(2), "gap of {gap:?}");
    assert_eq!(scene.branch.router().routes(PRIMARY)?, [], "the kernel itself took the dead routes away");
    Ok(())
}

fn start_on_backup() -> Result<(), Failed> {
    let mut scene = Scene::settled()?;
    scene.agent.kill()?;
    scene.branch.cut(NORTH)?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while !scene.is_seen_on(SOUTH) {
        assert!(Instant::now() < deadline, "the kernel did not fall back to the backup table");
        sleep(5 * MS);
    }
    sleep(100 * MS);
    scene.mark();
    scene.agent.start()?;
    scene.wait_until_on(SOUTH)?;
    assert_eq!(scene.lost(), 0, "packets lost while the agent took over");
    scene.branch.mend(NORTH)?;
    scene.branch.add_default_routes(NORTH)?;
    scene.wait_until_on(NORTH)
}

fn orderly_stop() -> Result<(), Failed> {
    let mut scene = Scene::settled()?;
    let before = scene.ours()?;
    scene.mark();
    assert!(scene.agent.terminate()?.success());
    assert_eq!(scene.ours()?, before);
    assert_eq!(scene.lost(), 0);
    Ok(())
}

fn observe() -> Result<(), Failed> {
    let mut scene = Scene::set(&AgentSettings { mode: "observe".to_owned(), ..AgentSettings::default() })?;
    let foreign = scene.foreign()?;
    scene.wait("a decision is made", |scene| {
        let Ok(status) = scene.agent.status() else { return Ok(false) };
        Ok(status["classes"].as_array().is_some_and(|all| all.iter().all(|class| class["uplink"] == "wan0")))
    })?;
    sleep(500 * MS);
    assert_eq!(scene.ours()?, (vec![], vec![]));
    assert_eq!(scene.foreign()?, foreign);
    assert!(scene.is_seen_on(SOUTH), "packets go where the main table sends them");
    Ok(())
}

/// Routes and a rule of somebody else, in our very tables.
fn squat(scene: &Scene) -> Result<Vec<Route>, LabError> {
    let routes = vec![
        Route::to("203.0.113.128/25".parse().unwrap_or_else(|_| unreachable!()), "wan1").table(PRIMARY),
        Route::to("2001:db8:dead::/48".parse().unwrap_or_else(|_| unreachable!()), "wan1").table(BACKUP),
    ];
    for route in &routes {
        scene.branch.router().add_route(route)?;
    }
    Ok(routes)
}

fn withdraw() -> Result<(), Failed> {
    let mut scene = Scene::settled()?;
    let foreign = scene.foreign()?;
    let squatters = squat(&scene)?;
    let answer = scene.agent.ask("withdraw", &[])?;
    assert!(answer["removed"].as_u64().is_some_and(|removed| removed > 0), "{answer}");
    assert_eq!(scene.ours()?, (vec![], vec![]));
    assert_eq!(scene.foreign()?, foreign);
    let others = scene.branch.router().routes(PRIMARY)?.len() + scene.branch.router().routes(BACKUP)?.len();
    assert_eq!(others, squatters.len(), "routes of others in our tables stay");
    scene.wait("packets go by the main table again", |scene| Ok(scene.is_seen_on(SOUTH)))?;
    sleep(500 * MS);
    assert_eq!(scene.ours()?, (vec![], vec![]), "it stays withdrawn");
    Ok(())
}

fn withdraw_offline() -> Result<(), Failed> {
    let mut scene = Scene::settled()?;
    scene.agent.kill()?;
    let config = scene.agent.config();
    let output = scene.agent.run(&["withdraw", "--config", &config.to_string_lossy()])?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(scene.ours()?, (vec![], vec![]));
    Ok(())
}

fn on_stop() -> Result<(), Failed> {
    let mut scene = Scene::set(&AgentSettings { on_stop: "withdraw".to_owned(), ..AgentSettings::default() })?;
    scene.wait_until_on(NORTH)?;
    let status = scene.agent.terminate()?;
    assert!(status.success(), "{status}");
    assert_eq!(scene.ours()?, (vec![], vec![]));
    assert!(!scene.agent.socket().exists(), "the control socket is removed");
    Ok(())
}

fn repair() -> Result<(), Failed> {
    let mut scene = Scene::settled()?;
    let (mut routes, rules) = scene.ours()?;
    routes.sort_by_key(|row| (row.table, row.destination));
    let victim = routes.iter().find(|row| row.table == PRIMARY && row.destination.addr().is_ipv4()).cloned();
    let victim = victim.ok_or("no route of ours")?;
    let stranger = Route::to(victim.destination, "wan1").table(PRIMARY);
    scene.branch.router().replace_route(&stranger)?;
    scene.wait("the route is ours again", |scene| {
        let mut now = scene.ours()?.0;
        now.sort_by_key(|row| (row.table, row.destination));
        Ok(now.len() == routes.len())
    })?;
    assert_eq!(scene.ours()?.1, rules);
    scene.wait("the repair is counted", |scene| {
        Ok(scene.agent.status()?["kernel"]["repairs"].as_u64().is_some_and(|repairs| repairs > 0))
    })
}

fn late_interface() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    branch.unplug(NORTH)?;
    let mut scene = Scene::on(branch, &AgentSettings::default())?;
    scene.wait_until_on(SOUTH)?;
    let status = scene.agent.status()?;
    let reason = status["isps"][NORTH]["uplinks"][0]["reason"].as_str().unwrap_or_default().to_owned();
    assert!(reason.contains("does not exist"), "{reason}");
    scene.branch.plug(NORTH)?;
    scene.wait_until_on(NORTH)
}

fn recreated_interface() -> Result<(), Failed> {
    let mut scene = Scene::settled()?;
    scene.branch.unplug(NORTH)?;
    scene.wait_until_on(SOUTH)?;
    scene.branch.plug(NORTH)?;
    scene.wait_until_on(NORTH)
}

fn no_isp_at_start() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    branch.cut(NORTH)?;
    branch.cut(SOUTH)?;
    let mut scene = Scene::on(branch, &AgentSettings::default())?;
    scene.wait("the agent answers", |scene| Ok(scene.agent.status().is_ok_and(|status| status["site"] != "")))?;
    sleep(500 * MS);
    assert_eq!(scene.ours()?, (vec![], vec![]));
    for isp in [NORTH, SOUTH] {
        scene.branch.mend(isp)?;
        scene.branch.add_default_routes(isp)?;
    }
    scene.wait_until_on(NORTH)
}

fn no_ipv6() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    let ipv6_defaults: Vec<RouteRow> = branch
        .router()
        .routes(MAIN)?
        .into_iter()
        .filter(|row| row.destination.prefix_len() == 0 && !row.destination.addr().is_ipv4())
        .collect();
    for row in &ipv6_defaults {
        let mut route = Route::to(row.destination, row.interface.as_deref().unwrap_or_default()).metric(row.metric);
        if let Some(gateway) = row.gateway {
            route = route.via(gateway);
        }
        branch.router().delete_route(&route)?;
    }
    let mut scene = Scene::on(branch, &AgentSettings::default())?;
    scene.wait("IPv4 leaves by wan0", |scene| {
        Ok(scene.branch.seen(MICROSOFT_IPV4).map(|seen| seen.isp) == Some(NORTH))
    })?;
    let rows = scene.branch.router().routes(PRIMARY)?;
    assert!(rows.iter().all(|row| row.destination.addr().is_ipv4()), "{rows:?}");
    Ok(())
}

fn strict_rp_filter() -> Result<(), Failed> {
    let mut scene = Scene::on(Branch::builder().rp_filter(1).build()?, &AgentSettings::default())?;
    scene.wait_until_on(NORTH)?;
    scene.mark();
    sleep(500 * MS);
    assert_eq!(scene.lost(), 0, "answers come back through the filter");
    Ok(())
}

fn explain() -> Result<(), Failed> {
    let scene = Scene::settled()?;
    let ask = |address: IpAddr| scene.agent.ask("explain", &[&address.to_string()]);
    for (address, class) in [(MICROSOFT_IPV4, "m365.exchange.ipv4"), (MICROSOFT_IPV6, "m365.exchange.ipv6")] {
        let answer = ask(address)?;
        assert_eq!(answer["destination"]["service"], "exchange");
        assert_eq!(answer["class"]["id"], class);
        assert_eq!(answer["class"]["uplink"], "wan0");
        assert_eq!(answer["kernel_lookup"]["table"], PRIMARY, "{answer:#}");
        assert_eq!(answer["kernel_lookup"]["uplink"], "wan0", "{answer:#}");
        assert_eq!(answer["class"]["candidates"].as_array().map(Vec::len), Some(2));
    }
    let internet = ask(INTERNET_IPV4)?;
    assert_eq!(internet["destination"], Value::Null);
    assert_eq!(internet["kernel_lookup"]["uplink"], "wan1", "{internet:#}");
    Ok(())
}

fn second_agent() -> Result<(), Failed> {
    let scene = Scene::settled()?;
    let config = scene.agent.config();
    let output = scene.agent.run(&["run", "--config", &config.to_string_lossy()])?;
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("another peerward"), "{said}");
    assert!(scene.agent.status().is_ok(), "the first goes on");
    Ok(())
}

fn unprivileged() -> Result<(), Failed> {
    let branch = Branch::builder().build()?;
    let agent = Agent::with_binary(&branch, BINARY.into(), &AgentSettings::default())?;
    let output = agent.run_without_capabilities(&["run", "--config", &agent.config().to_string_lossy()])?;
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("CAP_NET_ADMIN") && said.contains("setcap"), "{said}");
    let net: IpNet = IpNet::from(MICROSOFT_IPV4);
    assert!(branch.router().routes(PRIMARY)?.iter().all(|row| row.destination != net));
    Ok(())
}
