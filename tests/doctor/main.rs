//! `peerward doctor` on routers that others have been at: the real binary, a real kernel.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a step that fails is a failed test"
)]

mod conflicts;
mod foreign;
mod scene;
mod start;

use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let mut arguments = Arguments::from_args();
    let entered = peerward_lab::enter().map_err(|error| error.to_string());
    let trial = |name: &str, test: fn()| {
        let entered = entered.clone();
        Trial::test(name, move || entered.map(|()| test()).map_err(Failed::from))
    };
    let trials = vec![
        trial("a_sound_branch_has_no_finding_worse_than_advice", conflicts::sound),
        trial("looking_changes_nothing_and_needs_no_capability", conflicts::changes_nothing),
        trial("a_route_of_somebody_elses_in_our_table_is_found_in_both_families", conflicts::foreign_routes),
        trial("a_rule_of_somebody_elses_at_our_preference_is_found", conflicts::our_preference),
        trial("mwan3_is_recognised_and_its_remedy_works", conflicts::mwan3),
        trial("tailscale_is_well_until_there_is_an_exit_node", conflicts::tailscale),
        trial("a_tunnel_that_is_started_after_the_agent_gets_in_before_it", conflicts::wireguard),
        trial("more_specific_routes_before_ours_are_advice", conflicts::specifics),
        trial("our_protocol_number_on_routes_and_rules_of_others_is_found", conflicts::our_number),
        trial("a_next_hop_id_that_is_taken_is_found", conflicts::taken_ids),
        trial("strict_reverse_path_filters_are_judged_by_what_the_kernel_makes_of_them", conflicts::reverse_path),
        trial("settings_in_the_way_are_found", conflicts::settings),
        trial("uplinks_that_are_missing_or_lead_nowhere_are_found", conflicts::uplinks),
        trial("a_running_agent_is_no_conflict_and_a_second_one_is", start::agents),
        trial("the_agent_tells_conflicts_at_its_start_and_works_nevertheless", start::told),
    ];
    arguments.test_threads = Some(arguments.test_threads.unwrap_or(2).min(2));
    libtest_mimic::run(&arguments, trials).exit();
}
