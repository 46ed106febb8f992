//! IPv6 without address translation: clients have addresses of each ISP, and every ISP drops those of the others.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a step that fails is a failed test")]

use std::{
    net::IpAddr,
    process::ExitCode,
    thread::sleep,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use libtest_mimic::{Arguments, Failed, Trial};
use peerward_lab::{Agent, AgentSettings, Branch, ClientFlow, LabError, MICROSOFT_IPV4, MICROSOFT_IPV6};

const BINARY: &str = env!("CARGO_BIN_EXE_peerward");
/// First of the tables for sources.
const SOURCE_TABLE: u64 = 7780;
const MS: Duration = Duration::from_millis(1);

fn main() -> Result<ExitCode, LabError> {
    peerward_lab::enter()?;
    let trials = vec![
        Trial::test("every_client_address_leaves_by_the_isp_that_lets_it_through", own_isp),
        Trial::test("an_isp_that_lets_all_sources_through_takes_over", takes_over),
        Trial::test("without_the_setting_an_isp_drops_the_addresses_of_the_other", unset),
        Trial::test("delegated_prefixes_are_learned_from_their_default_routes", learned),
    ];
    Ok(libtest_mimic::run(&Arguments::from_args(), trials).exit_code())
}

/// A branch of which every ISP filters sources, with a client address of each.
struct Scene {
    branch: Branch,
    agent: Agent,
    /// A flow to Microsoft from the address of each ISP.
    flows: Vec<ClientFlow>,
    clients: Vec<IpAddr>,
}

impl Scene {
    /// `filters` says which ISPs drop foreign sources; `settings` gets the delegated prefixes for its TOML.
    fn set(filters: [bool; 2], settings: impl FnOnce(&Branch, &[IpNet]) -> Vec<String>) -> Result<Self, Failed> {
        let branch = Branch::builder().build()?;
        let (mut prefixes, mut clients, mut flows) = (Vec::new(), Vec::new(), Vec::new());
        for (isp, filters) in filters.into_iter().enumerate() {
            let (prefix, client) = branch.delegate(isp)?;
            if filters {
                let [_, access] = branch.isp_networks(isp);
                // IPv4 is translated in real life; here it is simply let through.
                let accepted = [access, prefix, "0.0.0.0/0".parse().unwrap()];
                branch.fabric().isp(isp).filter_sources(Some(accepted.to_vec()));
            }
            flows.push(ClientFlow::udp_from(branch.client(), client, MICROSOFT_IPV6, 5 * MS)?);
            prefixes.push(prefix);
            clients.push(client);
        }
        let settings = AgentSettings { uplink_more: settings(&branch, &prefixes), ..AgentSettings::default() };
        let mut agent = Agent::with_binary(&branch, BINARY.into(), &settings)?;
        agent.start()?;
        Ok(Self { branch, agent, flows, clients })
    }

    fn way(&self, client: usize) -> Option<usize> {
        let seen = self.branch.fabric().seen(self.clients[client], MICROSOFT_IPV6)?;
        (seen.at.elapsed() < 100 * MS).then_some(seen.isp)
    }

    fn wait(&mut self, what: &str, condition: impl Fn(&Self) -> bool) -> Result<(), Failed> {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !condition(self) {
            self.agent.check_running()?;
            if Instant::now() > deadline {
                let status = self.agent.status().map_or_else(|error| error.to_string(), |it| format!("{it:#}"));
                return Err(format!("not within 30 s: {what}\n{status}\n{}", self.agent.log_tail()).into());
            }
            sleep(10 * MS);
        }
        Ok(())
    }

    fn assert_nothing_lost(&self, client: usize) {
        // What the wrong ISP swallowed before would count as under way.
        sleep(500 * MS);
        self.flows[client].mark();
        sleep(500 * MS);
        let report = self.flows[client].settled_since_mark();
        assert_eq!(report.lost, 0, "client {client}: {report:?}\n{}", self.agent.log_tail());
    }
}

fn sources(prefixes: &[IpNet]) -> Vec<String> {
    prefixes.iter().map(|prefix| format!("ipv6_source = [\"{prefix}\"]")).collect()
}

fn own_isp() -> Result<(), Failed> {
    let mut scene = Scene::set([true, true], |_, prefixes| sources(prefixes))?;
    scene.wait("each address leaves by its own ISP", |scene| scene.way(0) == Some(0) && scene.way(1) == Some(1))?;
    scene.assert_nothing_lost(0);
    scene.assert_nothing_lost(1);
    for (client, wan) in scene.clients.iter().zip(["wan0", "wan1"]) {
        let answer = scene.agent.ask("explain", &[&MICROSOFT_IPV6.to_string(), "--from", &client.to_string()])?;
        assert_eq!(answer["class"]["uplink"], wan, "{answer:#}");
        assert_eq!(answer["kernel_lookup"]["uplink"], wan, "{answer:#}");
    }
    // The other ISP would drop what it does not know: nothing is moved there when one fails.
    scene.branch.cut(0)?;
    scene.wait("the lost ISP is known to be lost", |scene| {
        let answer =
            scene.agent.ask("explain", &[&MICROSOFT_IPV6.to_string(), "--from", &scene.clients[0].to_string()]);
        answer.is_ok_and(|answer| answer["class"]["uplink"].is_null())
    })?;
    scene.assert_nothing_lost(1);
    Ok(())
}

fn takes_over() -> Result<(), Failed> {
    let mut scene = Scene::set([true, false], |_, prefixes| sources(&prefixes[..1]))?;
    scene.wait("the restricted address leaves by its own ISP", |scene| scene.way(0) == Some(0))?;
    scene.wait("the other one by the one that lets all through", |scene| scene.way(1) == Some(1))?;
    scene.wait("there is a backup", |scene| {
        let answer =
            scene.agent.ask("explain", &[&MICROSOFT_IPV6.to_string(), "--from", &scene.clients[0].to_string()]);
        answer.is_ok_and(|answer| answer["class"]["backup"] == "wan1")
    })?;
    scene.branch.cut(0)?;
    scene.wait("the other ISP takes over", |scene| scene.way(0) == Some(1))?;
    scene.assert_nothing_lost(1);
    Ok(())
}

/// The trouble that the setting is for, so that the tests above are known to show something.
fn unset() -> Result<(), Failed> {
    let mut scene = Scene::set([true, true], |_, _| Vec::new())?;
    scene.wait("all goes by the preferred ISP", |scene| scene.way(0) == Some(0))?;
    scene.wait("which drops what it does not know", |scene| scene.branch.fabric().isp(0).filtered() > 50)?;
    assert_eq!(scene.way(1), None);
    let ipv4 = ClientFlow::udp(scene.branch.client(), MICROSOFT_IPV4, 5 * MS)?;
    scene.wait("IPv4 is not concerned", |_| ipv4.since_mark().received > 20)?;
    Ok(())
}

fn learned() -> Result<(), Failed> {
    let auto = "ipv6_source = \"auto\"".to_owned();
    let mut scene = Scene::set([true, true], |_, _| vec![auto.clone(), auto])?;
    for isp in [0, 1] {
        scene.branch.add_default_route_for_delegated(isp)?;
    }
    // The main table leads each source to its own ISP here: only a look tells that it is steered.
    scene.wait("each address is steered to its own ISP", |scene| {
        let steered = |client: usize| {
            let source = scene.clients[client].to_string();
            let answer = scene.agent.ask("explain", &[&MICROSOFT_IPV6.to_string(), "--from", &source])?;
            let by_ours = answer["kernel_lookup"]["table"].as_u64().is_some_and(|table| table >= SOURCE_TABLE);
            Ok::<_, LabError>(by_ours && answer["kernel_lookup"]["uplink"] == format!("wan{client}"))
        };
        steered(0).unwrap_or(false) && steered(1).unwrap_or(false)
    })?;
    scene.assert_nothing_lost(0);
    scene.assert_nothing_lost(1);
    Ok(())
}
