//! Uplinks that come and go.

use peerward::passive::{Settings, Watch};
use peerward_lab::{Branch, MICROSOFT_IPV4, TCP_PORT};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

use crate::scene::{Watching, connect, watched};

pub fn made_again() {
    let branch = Branch::builder().build().unwrap();
    let watching = Watching::start(branch.router());
    let state = |expected: Watch| {
        watching.wait(&expected.to_string(), |known| known.uplinks[1].1 == expected);
    };
    connect(branch.client(), (MICROSOFT_IPV4, TCP_PORT), 1).unwrap();
    watching.path(1, "v4", |view| view.completed == 1);

    branch.unplug(1).unwrap();
    state(Watch::Absent);
    branch.plug(1).unwrap();
    state(Watch::Watching);
    connect(branch.client(), (MICROSOFT_IPV4, TCP_PORT), 1).unwrap();
    watching.path(1, "v4", |view| view.completed == 2);

    let wan1 = branch.uplink(1);
    wan1.down().unwrap();
    let dsl = wan1.rename("dsl0").unwrap();
    state(Watch::Absent);
    dsl.rename("wan1").unwrap().up().unwrap();
    state(Watch::Watching);
    branch.add_default_routes(1).unwrap();
    connect(branch.client(), (MICROSOFT_IPV4, TCP_PORT), 1).unwrap();
    watching.path(1, "v4", |view| view.completed == 3);
}

pub fn another_list() {
    let branch = Branch::builder().build().unwrap();
    let watching = Watching::start_with(branch.router(), Settings::default(), &["wan0"], || {});
    watching.wait("wan0", |known| known.uplinks.len() == 1 && known.uplinks[0].1 == Watch::Watching);
    connect(branch.client(), (MICROSOFT_IPV4, TCP_PORT), 3).unwrap();
    watching.uplinks.send_replace(watched(&["wan0", "wan1", "nonesuch"]));
    let known = watching.wait("three", |known| known.uplinks.len() == 3);
    assert!(known.paths.is_empty(), "wan1 was not watched yet: {known:#?}");
    assert_eq!(known.uplinks[2].1, Watch::Absent);
    connect(branch.client(), (MICROSOFT_IPV4, TCP_PORT), 2).unwrap();
    watching.path(1, "v4", |view| view.completed == 2);
}

pub fn without_capability() {
    let branch = Branch::builder().build().unwrap();
    let give_up = || {
        let mut sets = capabilities(None).unwrap();
        sets.effective.remove(CapabilitySet::NET_RAW);
        set_capabilities(None, sets).unwrap();
    };
    let watching = Watching::start_with(branch.router(), Settings::default(), &["wan0", "wan1"], give_up);
    let known = watching.wait("a verdict", |known| known.uplinks.len() == 2);
    for (_, state) in &known.uplinks {
        let Watch::Unavailable(reason) = state else { panic!("{state:?}") };
        assert!(reason.contains("CAP_NET_RAW") && reason.contains("passive = false"), "{reason}");
    }
}
