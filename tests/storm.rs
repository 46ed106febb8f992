//! A storm: links, addresses, routes and rules change at random, fifty times a second, under a running agent.
//!
//! By default it blows for a thousand events; `PEERWARD_STORM_EVENTS=30000` makes it ten minutes. The seed is printed,
//! and `PEERWARD_STORM_SEED` repeats one.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a step that fails is a failed test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    process::ExitCode,
    thread::sleep,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use libtest_mimic::{Arguments, Failed, Trial};
use peerward_lab::{Agent, AgentSettings, Branch, LabError, MAIN, NextHopRow, OPS_IPV4, Route, RouteRow, RuleRow};
use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_peerward");
const OURS: u8 = 77;
/// `RTPROT_KERNEL`, `RTPROT_RA`: what comes and goes with links and their addresses.
const OF_LINKS: [u8; 2] = [2, 9];
const UPLINKS: usize = 4;
const PACE: Duration = Duration::from_millis(20);
/// A table of somebody else.
const THEIRS: u32 = 500;

fn main() -> Result<ExitCode, LabError> {
    peerward_lab::enter()?;
    let trials = vec![Trial::test("after_a_storm_the_kernel_is_as_planned_and_nothing_foreign_changed", storm)];
    Ok(libtest_mimic::run(&Arguments::from_args(), trials).exit_code())
}

fn storm() -> Result<(), Failed> {
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let events = number("PEERWARD_STORM_EVENTS").unwrap_or(1_000);
    let seed = number("PEERWARD_STORM_SEED").unwrap_or_else(|| fastrand::u64(..));
    eprintln!("storm of {events} events, PEERWARD_STORM_SEED={seed}");
    let branch = Branch::builder().isps(UPLINKS).build()?;
    // As DHCP and router advertisements give them back.
    branch.router().sysctl_for_all("ipv6", "keep_addr_on_down", "1")?;
    let mut agent = Agent::with_binary(&branch, BINARY.into(), &settings())?;
    agent.start()?;
    wait(&mut agent, "Microsoft is steered before the storm", Duration::from_secs(30), |status| {
        is_in_step(status) && all_classes(status).all(|class| class["uplink"] == "wan0")
    })?;
    let before = foreign(&branch)?;

    let mut weather = Weather { branch: &branch, random: fastrand::Rng::with_seed(seed), state: State::default() };
    let began = Instant::now();
    for event in 0..events {
        weather.strike();
        agent.check_running()?;
        let due = began + PACE * u32::try_from(event).unwrap();
        sleep(due.saturating_duration_since(Instant::now()));
    }
    let left = weather.calm()?;

    let quiet = Instant::now();
    wait(&mut agent, "the kernel is as planned", Duration::from_secs(10), is_in_step)?;
    eprintln!("in step {} ms after the last event", quiet.elapsed().as_millis());
    wait(&mut agent, "Microsoft is back on the preferred ISP", Duration::from_secs(60), |status| {
        is_in_step(status) && all_classes(status).all(|class| class["uplink"] == "wan0")
    })?;
    // Backups may still change places: what the kernel holds is read in three pieces, and again when these do not fit.
    let deadline = Instant::now() + Duration::from_secs(10);
    while let Err(difference) = compare(&branch, &agent.ask("routes", &[])?)? {
        assert!(Instant::now() < deadline, "{difference}");
        sleep(Duration::from_millis(50));
    }
    weather.clear(&left)?;
    assert_eq!(foreign(&branch)?, before, "nothing foreign was touched");
    Ok(())
}

fn settings() -> AgentSettings {
    let isps = [("north", "IIJ"), ("south", "KDDI"), ("east", "NTT Communications"), ("west", "Colt")];
    AgentSettings {
        isps: isps.map(|(name, partner)| (name.to_owned(), partner.to_owned())).to_vec(),
        preferred: isps.map(|(name, _)| name.to_owned()).to_vec(),
        // Uplinks flap here more than any that should be returned to soon.
        probe_more: "flap_half_life = \"off\"".to_owned(),
        more: "[[destinations.static]]\nname = \"own\"\nprefixes = [\"20.40.0.0/16\"]\n".to_owned(),
        ..AgentSettings::default()
    }
}

fn wait(agent: &mut Agent, what: &str, patience: Duration, condition: impl Fn(&Value) -> bool) -> Result<(), Failed> {
    let deadline = Instant::now() + patience;
    loop {
        agent.check_running()?;
        let status = agent.status();
        if status.as_ref().is_ok_and(&condition) {
            return Ok(());
        }
        if Instant::now() > deadline {
            let status = status.map_or_else(|error| error.to_string(), |status| format!("{status:#}"));
            return Err(format!("not within {patience:?}: {what}\n{status}\n{}", agent.log_tail()).into());
        }
        sleep(Duration::from_millis(10));
    }
}

fn all_classes(status: &Value) -> impl Iterator<Item = &Value> {
    status["classes"].as_array().into_iter().flatten()
}

fn is_in_step(status: &Value) -> bool {
    let placed = |class: &Value| class["uplink"] == class["in_kernel"] || class["routes"] == 0;
    status["kernel"]["in_step"] == true && all_classes(status).all(placed)
}

/// What the lab's own eyes see in our tables against what the agent says: how many routes lead by each uplink.
fn compare(branch: &Branch, said: &Value) -> Result<Result<(), String>, LabError> {
    let router = branch.router();
    let objects: BTreeMap<u32, NextHopRow> = router.nexthops()?.into_iter().map(|row| (row.id, row)).collect();
    let names: BTreeMap<u32, String> =
        (0..UPLINKS).filter_map(|isp| Some((branch.uplink(isp).state().ok()??.index, format!("wan{isp}")))).collect();
    for (table, key) in [(7700, "uplink"), (7701, "backup")] {
        let mut held: BTreeMap<String, u64> = BTreeMap::new();
        for row in router.routes(table)? {
            let group = row.nexthop.and_then(|id| objects.get(&id)).and_then(|group| group.group.first());
            let interface = group.and_then(|(member, _)| objects.get(member)).and_then(|object| object.interface);
            let Some(name) = interface.and_then(|index| names.get(&index)) else {
                return Ok(Err(format!("{row:?} leads nowhere")));
            };
            *held.entry(name.clone()).or_default() += 1;
        }
        let mut planned: BTreeMap<String, u64> = BTreeMap::new();
        for class in all_classes(said) {
            if let (Some(uplink), routes @ 1..) = (class[key].as_str(), class["routes"].as_u64().unwrap()) {
                *planned.entry(uplink.to_owned()).or_default() += routes;
            }
        }
        if held != planned {
            return Ok(Err(format!("table {table} holds {held:?}, planned is {planned:?}")));
        }
    }
    Ok(Ok(()))
}

type Foreign = (Vec<RouteRow>, Vec<RuleRow>, Vec<NextHopRow>);

/// Everything that is not ours and does not come and go with a link.
fn foreign(branch: &Branch) -> Result<Foreign, LabError> {
    let router = branch.router();
    let mut routes = Vec::new();
    for table in [MAIN, THEIRS, 7700, 7701] {
        routes.extend(router.routes(table)?);
    }
    routes.retain(|row| row.protocol != OURS && !OF_LINKS.contains(&row.protocol));
    // A dying link takes the flag with it a moment later.
    for row in &mut routes {
        row.linkdown = false;
    }
    let rules = router.rules()?.into_iter().filter(|row| row.protocol != Some(OURS)).collect();
    let objects = router.nexthops()?.into_iter().filter(|row| row.protocol != OURS).collect();
    Ok((routes, rules, objects))
}

/// What the storm has done so far.
#[derive(Debug, Default)]
struct State {
    cut: BTreeSet<usize>,
    down: BTreeSet<usize>,
    unplugged: BTreeSet<usize>,
    addresses: BTreeSet<u8>,
    routes: BTreeSet<u8>,
    rules: BTreeSet<u8>,
    removed_from_us: u8,
}

struct Weather<'a> {
    branch: &'a Branch,
    random: fastrand::Rng,
    state: State,
}

impl Weather<'_> {
    /// One event. A step that the state of a link makes impossible is an event too.
    fn strike(&mut self) {
        let isp = self.random.usize(..UPLINKS);
        let number = self.random.u8(..16);
        let router = self.branch.router();
        let _ = match self.random.u8(..100) {
            0..20 if toggle(&mut self.state.cut, isp) => self.branch.cut(isp),
            0..20 => self.branch.mend(isp),
            20..32 if toggle(&mut self.state.down, isp) => self.branch.uplink(isp).down(),
            20..32 => self.branch.uplink(isp).up().and_then(|()| self.branch.add_default_routes(isp)),
            32..35 => self.plug_or_unplug(isp),
            35..50 => self.branch.add_default_routes(isp),
            50..65 if toggle(&mut self.state.addresses, number) => router.link("lan0").add_address(address(number)),
            50..65 => router.link("lan0").remove_address(address(number)),
            65..85 if toggle(&mut self.state.routes, number) => router.add_route(&route(number)),
            65..85 => router.delete_route(&route(number)),
            85..99 if toggle(&mut self.state.rules, number) => router.add_rule(
                20_000 + u32::from(number),
                "10.99.0.0/16".parse().unwrap(),
                THEIRS + u32::from(number),
            ),
            85..99 => router.delete_rules_to(THEIRS + u32::from(number)),
            // Somebody flushes our rules; more often would be a fight, which is another test.
            _ if self.state.removed_from_us < 3 => {
                self.state.removed_from_us += 1;
                router.delete_rules_to(7700)
            }
            _ => Ok(()),
        };
    }

    fn plug_or_unplug(&mut self, isp: usize) -> Result<(), LabError> {
        if toggle(&mut self.state.unplugged, isp) {
            return self.branch.unplug(isp);
        }
        self.state.cut.remove(&isp);
        self.state.down.remove(&isp);
        self.branch.plug(isp)
    }

    /// Every line works again; what others have set stays.
    fn calm(&mut self) -> Result<State, LabError> {
        let State { cut, down, unplugged, .. } = &mut self.state;
        for isp in std::mem::take(unplugged) {
            self.branch.plug(isp)?;
            cut.remove(&isp);
            down.remove(&isp);
        }
        for isp in std::mem::take(cut) {
            self.branch.mend(isp)?;
        }
        for isp in 0..UPLINKS {
            self.branch.uplink(isp).up()?;
            self.branch.add_default_routes(isp)?;
        }
        Ok(std::mem::take(&mut self.state))
    }

    /// Removes what others have set; each must still be there.
    fn clear(&self, left: &State) -> Result<(), LabError> {
        let router = self.branch.router();
        for number in &left.routes {
            router.delete_route(&route(*number))?;
        }
        for number in &left.rules {
            let table = THEIRS + u32::from(*number);
            assert!(router.rules()?.iter().any(|rule| rule.table == table), "the rule to {table} is gone");
            router.delete_rules_to(table)?;
        }
        for number in &left.addresses {
            router.link("lan0").remove_address(address(*number))?;
        }
        Ok(())
    }
}

/// Puts it in or takes it out; true when it is in now.
fn toggle<T: Ord>(set: &mut BTreeSet<T>, item: T) -> bool {
    if set.remove(&item) {
        return false;
    }
    set.insert(item)
}

fn address(number: u8) -> IpNet {
    format!("10.{number}.0.1/24").parse().unwrap()
}

/// A route of the router's own: half of them keep a part of Microsoft's space.
fn route(number: u8) -> Route {
    let prefix =
        if number.is_multiple_of(2) { format!("20.40.{number}.0/24") } else { format!("10.200.{number}.0/24") };
    Route::to(prefix.parse().unwrap(), "mgmt0").via(OPS_IPV4)
}
