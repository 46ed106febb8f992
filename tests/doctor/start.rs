//! The doctor and running agents.

use std::{fs, time::Duration};

use peerward_lab::{Agent, AgentSettings, ClientFlow, MICROSOFT_IPV4, Route};

use crate::scene::Scene;

pub fn agents() {
    let mut scene = Scene::new();
    scene.agent.start().unwrap();
    scene.wait("it answers", |scene| scene.agent.status().is_ok());
    let report = scene.doctor();
    report.assert_well("agents");
    report.assert_well("rules");
    assert!(report.findings.iter().any(|it| it["found"] == "an agent runs, mode enforce"), "{:#?}", report.findings);

    let binary = env!("CARGO_BIN_EXE_peerward").into();
    let settings = AgentSettings { mode: "observe".to_owned(), ..AgentSettings::default() };
    let mut second = Agent::with_binary(&scene.branch, binary, &settings).unwrap();
    second.start().unwrap();
    scene.wait("the second one answers", |_| second.status().is_ok());
    scene.doctor().assert_one("agents", "error", &["several agents run in this network namespace"]);
}

pub fn told() {
    let mut scene = Scene::new();
    // Another program's route in our table, which is not in the way of what is steered.
    scene.router().add_route(&Route::to("192.0.2.0/24".parse().unwrap(), "wan1").table(7700)).unwrap();
    scene.agent.start().unwrap();
    let log = |scene: &Scene| fs::read_to_string(scene.agent.log()).unwrap_or_default();
    scene.wait("the conflict is logged", |scene| log(scene).contains("conflict (tables): table 7700"));
    let _flow = ClientFlow::udp(scene.branch.client(), MICROSOFT_IPV4, Duration::from_millis(5)).unwrap();
    scene.wait("Microsoft is steered", |scene| scene.branch.way_now(MICROSOFT_IPV4) == Some(0));
    assert_eq!(log(&scene).matches("conflict (tables)").count(), 1, "once");
    assert!(log(&scene).contains("remedy: "), "{}", log(&scene));
}
