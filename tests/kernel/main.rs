//! The kernel edge against a real kernel, in network namespaces of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a step that fails is a failed test"
)]

mod balanced;
mod balanced_repair;
mod fib;
mod flows;
mod foreign;
mod hitless;
mod leftovers;
mod lookups;
mod picture;
mod reconciler;
mod routes;
mod scene;
mod storms;
mod told;

use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let entered = peerward_lab::enter().map_err(|error| error.to_string());
    let trial = |name: &str, test: fn()| {
        let entered = entered.clone();
        Trial::test(name, move || entered.map(|()| test()).map_err(Failed::from))
    };
    let trials = vec![
        trial("the_picture_holds_links_addresses_neighbours_and_defaults_of_both_families", picture::holds_it_all),
        trial("a_cut_carrier_and_its_return_are_seen", picture::carrier),
        trial("admin_down_takes_the_default_away_although_the_kernel_says_nothing", picture::admin_down),
        trial("a_rename_keeps_the_interface_and_a_new_one_under_the_name_is_new", picture::names),
        trial("defaults_by_next_hop_objects_are_resolved_to_their_members", picture::next_hop_objects),
        trial("our_own_tables_are_no_default_and_raise_doubt_when_touched", picture::own_tables),
        trial("lost_events_make_the_picture_stale_until_all_was_listed_again", picture::overrun),
        trial("an_event_that_another_process_made_up_is_not_believed", picture::forged),
        trial("routes_that_touch_a_destination_are_held_in_every_form_and_no_others", routes::every_form),
        trial("a_default_for_some_sources_counts_and_tells_them", routes::sourced_defaults),
        trial("rules_of_others_that_lead_to_tables_are_held_and_followed", routes::rules),
        trial("routes_by_next_hop_objects_follow_what_these_become", routes::objects),
        trial("what_is_followed_is_what_is_listed_whatever_is_done_to_routes", routes::followed),
        trial("what_ipv6_lists_only_once_others_are_gone_is_seen_then", routes::veiled),
        trial("another_gateway_is_seen_by_its_event_alone", routes::next_gateway),
        trial("a_default_is_followed_while_thousands_of_other_routes_change", storms::route_churn),
        trial("lists_that_links_interrupt_come_to_an_end_and_hold_everything", storms::link_churn),
        trial("what_links_and_addresses_do_to_routes_is_followed_as_it_is_listed", storms::links_and_routes),
        trial("addresses_whose_lifetime_is_refreshed_ask_for_no_listing", storms::refreshed_addresses),
        trial("what_is_applied_is_read_back_equal", fib::round_trip),
        trial("one_message_moves_every_route_of_a_group", fib::group_replace),
        trial("when_the_carrier_is_cut_the_kernel_itself_falls_back_to_the_backup_table", fib::standing_backup),
        trial("withdrawing_removes_ours_and_leaves_what_others_hold_in_our_tables", fib::withdraw),
        trial("flows_are_shared_out_by_weight", balanced::weights),
        trial("flows_keep_their_way_when_a_member_comes_or_goes", balanced::flows_keep_their_way),
        trial("a_member_that_loses_its_carrier_leaves_the_group_and_nothing_else", balanced::carrier_of_a_member),
        trial("a_balanced_group_is_read_back_as_it_was_set", balanced::read_back),
        trial("a_restart_with_a_balanced_class_writes_nothing", balanced_repair::adoption),
        trial(
            "flows_of_the_line_that_stays_lose_nothing_and_keep_their_way_when_the_other_is_back",
            balanced_repair::carrier_and_return,
        ),
        trial("refused_changes_are_told_and_the_others_done", fib::partial_failure),
        trial("what_works_is_not_deleted_while_its_successor_is_refused", fib::held_back),
        trial("a_route_of_ours_on_a_line_without_carrier_is_seen_and_withdrawn", fib::dead_routes),
        trial("a_next_hop_of_another_program_is_never_overwritten", fib::taken_ids),
        trial("what_the_router_sends_from_an_uplinks_address_to_its_own_networks_stays_there", lookups::own_networks),
        trial(
            "translated_flows_are_listed_by_the_source_they_leave_with_and_deleted_one_by_one",
            flows::listed_and_deleted,
        ),
        trial("a_flow_that_was_translated_anew_meanwhile_is_not_deleted", flows::successor),
        trial("a_table_of_many_flows_is_counted_and_few_are_kept", flows::large_table),
        trial("the_backup_of_a_class_that_could_not_move_stays", fib::kept_backup),
        trial("what_a_moved_route_left_behind_is_not_deleted_unseen", fib::kept_shadows),
        trial("nothing_is_led_by_a_next_hop_of_another_program", fib::taken_member),
        trial("a_second_agent_adopts_what_a_killed_one_left", fib::adoption),
        trial("what_is_there_already_is_not_written_over_and_what_is_gone_counts_as_done", fib::idempotence),
        trial("a_gateway_outside_every_connected_prefix_is_taken_to_be_on_its_link", fib::on_link),
        trial("without_the_capability_the_error_names_it", fib::no_capability),
        trial("whatever_is_removed_or_changed_of_ours_is_put_back", reconciler::damage),
        trial("a_restart_with_an_unchanged_decision_writes_nothing", reconciler::adoption),
        trial("who_undoes_every_repair_is_fought_ten_times_and_then_once_in_a_minute", reconciler::budget),
        trial("who_has_its_own_in_our_place_is_named_when_we_yield", reconciler::another_program),
        trial("a_plan_with_private_space_is_refused_as_a_whole_and_what_stood_stays", reconciler::refused_plan),
        trial("a_newer_order_is_carried_out_before_a_long_one_is_finished", reconciler::interruption),
        trial("the_standing_backup_stays_until_its_traffic_has_another_place", reconciler::carrier_then_order),
        trial("what_was_lost_while_no_agent_ran_is_restored_at_its_start", reconciler::dead_agent),
        trial("nothing_of_others_is_touched_whatever_is_planned_damaged_and_repaired", foreign::untouched),
        trial("a_route_of_ours_that_another_program_replaced_is_put_before_theirs", foreign::overwritten),
        trial("others_can_add_routes_by_gateways_of_an_uplink_while_ours_stand", foreign::gateways_of_others),
        trial("a_place_that_another_program_holds_is_told_with_a_remedy", foreign::held_place),
        trial("what_a_former_configuration_left_is_removed_once_the_plan_stands", foreign::leftovers),
        trial("a_next_hop_of_our_number_stays_while_anything_of_others_hangs_on_it", leftovers::needed_next_hops),
        trial(
            "a_leftover_rule_that_the_kernel_cannot_tell_from_ours_goes_and_ours_stays_without_a_gap",
            leftovers::vague_leftovers,
        ),
        trial("withdrawal_ends_when_nothing_is_left_however_much_it_was", leftovers::withdrawn_in_rounds),
        trial("no_packet_is_missed_while_classes_and_their_backups_change_places", hitless::swapped),
        trial("no_packet_is_missed_while_prefixes_are_aggregated_and_split", hitless::aggregated),
        trial("no_packet_is_missed_while_everything_gets_other_ids", hitless::adopted_under_other_ids),
        trial("no_packet_is_missed_while_weights_change", hitless::weights),
        trial("no_packet_is_missed_while_a_class_becomes_balanced_and_ordinary_again", hitless::balanced),
        trial("no_packet_is_missed_while_a_route_is_moved_to_another_group", hitless::moved_routes),
        trial("forwarded_packets_are_steered_and_the_routers_own_are_not", lookups::forwarded_and_own),
        trial("a_destination_without_a_way_is_an_error_that_names_it", lookups::no_way),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}
