//! Handshakes of forwarded connections, watched on real interfaces in network namespaces.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a step that fails is a failed test"
)]

mod crowd;
mod interfaces;
mod kernel_filter;
mod outcomes;
mod scene;

use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let mut arguments = Arguments::from_args();
    // Each trial is a network of its own with emulated delays: more than two at once measure the machine.
    arguments.test_threads = Some(arguments.test_threads.unwrap_or(2).min(2));
    let entered = peerward_lab::enter().map_err(|error| error.to_string());
    let trial = |name: &str, test: fn()| {
        let entered = entered.clone();
        Trial::test(name, move || entered.map(|()| test()).map_err(Failed::from))
    };
    let trials = vec![
        trial("the_time_of_a_handshake_is_that_of_its_uplink_class_and_family", outcomes::times),
        trial("connections_of_own_ports_and_to_other_destinations_do_not_count", outcomes::left_out),
        trial("what_nobody_answers_is_counted_once_although_the_syn_is_repeated", outcomes::unanswered),
        trial("a_handshake_with_a_repeated_syn_is_counted_and_not_measured", outcomes::repeated),
        trial("a_closed_port_counts_as_refused", outcomes::refused),
        trial("connections_of_the_router_itself_count_too", outcomes::of_the_router),
        trial("an_interface_that_is_made_again_or_renamed_is_found_again", interfaces::made_again),
        trial("another_list_of_uplinks_holds_at_once", interfaces::another_list),
        trial("without_the_capability_it_says_what_to_do", interfaces::without_capability),
        trial("the_kernel_lets_through_what_the_filter_says_and_no_byte_of_payload", kernel_filter::agrees),
        trial("thousands_of_connections_are_thinned_and_still_measured", crowd::thinned),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}
