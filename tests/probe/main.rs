//! Probes through real interfaces, in network namespaces.
//!
//! Reverse path filters are off: the probe tables that satisfy strict ones are the planner's, and are tested with it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a step that fails is a failed test"
)]

mod emulated;
mod hostile;
mod kinds;
mod late;
mod prober;
mod scene;
mod ways;

use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let entered = peerward_lab::enter().map_err(|error| error.to_string());
    let trial = |name: &str, test: fn()| {
        let entered = entered.clone();
        Trial::test(name, move || entered.map(|()| test()).map_err(Failed::from))
    };
    let trials = vec![
        trial("each_kind_leaves_by_its_uplink_in_both_families", kinds::by_its_uplink),
        trial("each_kind_leaves_by_its_uplink_whatever_the_routes_say", kinds::whatever_routes_say),
        trial("each_kind_comes_from_the_source_address_that_it_was_given", kinds::from_its_source),
        trial("answers_that_come_by_the_other_uplink_do_not_count", kinds::answers_by_the_other),
        trial("an_interface_that_goes_ends_a_probe_of_any_kind", kinds::interface_gone),
        trial("each_kind_measures_the_round_trip_of_the_packets", kinds::rtt_of_its_path),
        trial("icmp_goes_by_ping_sockets_where_they_are_allowed_and_by_raw_ones_elsewhere", kinds::ping_sockets),
        trial("each_probe_leaves_by_its_uplink_whatever_the_main_table_prefers", ways::by_its_uplink),
        trial("a_probe_comes_from_the_source_address_that_it_was_given", ways::from_its_source),
        trial("outcomes_tell_refused_lost_and_unreachable_apart", ways::outcomes),
        trial("without_a_route_by_the_interface_nothing_gets_through", ways::without_a_route),
        trial("a_cut_carrier_is_seen_as_loss_and_its_return_as_answers", ways::carrier),
        trial("a_missing_interface_is_not_sent_and_is_probed_once_it_appears", ways::missing_interface),
        trial("no_more_probes_arrive_than_configured_and_they_leave_no_time_wait", ways::rate),
        trial("the_rtt_is_that_of_the_uplinks_own_path", emulated::rtt_of_its_path),
        trial("loss_on_one_uplink_is_seen_there_and_nowhere_else", emulated::loss),
        trial("a_black_hole_behind_a_healthy_link_is_seen_and_so_is_its_end", emulated::black_hole),
        trial("what_the_uplinks_own_queue_drops_is_lost", hostile::full_queue),
        trial("an_echo_that_another_host_answers_is_not_answered", hostile::answer_of_another),
        trial("a_refusal_on_the_way_is_no_answer_of_the_target", hostile::refused_on_the_way),
        trial("a_refusal_of_a_repeated_syn_is_no_answer", hostile::refused_late),
        trial("an_answer_that_is_only_late_is_told_twice_and_counted_with_its_time", late::reclassified_once),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}
