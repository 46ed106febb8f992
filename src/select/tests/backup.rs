use std::collections::BTreeMap;

use super::{
    Decision, IIJ, KDDI, Memory, NOW, NTT, ago, config, decided, decided_by, degraded, down, isp, on, policy_of,
    seconds, unattached, unknown, up, uplink,
};
use crate::{
    config::{Config, Strategy},
    domain::{IspId, UplinkId},
};

fn with_backup(chosen: UplinkId, backup: UplinkId) -> Memory {
    Memory { backup: Some(backup), ..on(chosen) }
}

/// Second uplink of NTT.
const NTT_2: UplinkId = UplinkId(3);

/// As `config`, with a second uplink of NTT.
fn with_local_redundancy() -> Config {
    let mut config = config();
    config.isps[0] = isp("NTT", &[0, 3]);
    config.uplinks.push(uplink("ntt-2", 0));
    config.policy.preferred = vec![IspId(0), IspId(1)];
    config
}

#[test]
fn the_backup_is_the_next_preferred_uplink() {
    assert_eq!(decided([up(50.0), up(50.0), up(50.0)], &on(NTT)).backup, Some(KDDI));
    assert_eq!(decided([down(), up(50.0), up(50.0)], &on(KDDI)).backup, Some(IIJ));
}

#[test]
fn up_goes_before_degraded_and_degraded_before_not_measured() {
    assert_eq!(decided([up(50.0), degraded(50.0), up(50.0)], &on(NTT)).backup, Some(IIJ));
    assert_eq!(decided([up(50.0), unknown(1.0), degraded(50.0)], &on(NTT)).backup, Some(IIJ));
    assert_eq!(decided([up(50.0), unknown(1.0), down()], &on(NTT)).backup, Some(KDDI));
}

#[test]
fn what_is_down_gone_or_in_charge_is_no_backup() {
    assert_eq!(decided([up(50.0), down(), unattached()], &on(NTT)).backup, None);
}

#[test]
fn another_isp_goes_before_another_uplink_of_the_same() {
    let policy = policy_of(&with_local_redundancy());
    let decide = |paths: [_; 4], memory: &Memory| decided_by(&policy, &paths, memory);
    assert_eq!(policy.order()[1].0, NTT_2, "though policy prefers it");
    assert_eq!(decide([up(50.0), up(50.0), up(50.0), up(50.0)], &on(NTT)).backup, Some(KDDI));
    assert_eq!(decide([up(50.0), degraded(50.0), down(), up(50.0)], &on(NTT)).backup, Some(KDDI));
    assert_eq!(decide([up(50.0), down(), unattached(), up(50.0)], &on(NTT)).backup, Some(NTT_2));
}

#[test]
fn behind_several_in_charge_an_isp_of_none_of_them_goes_first() {
    let mut config = config();
    config.isps[1] = isp("KDDI", &[1, 3]);
    config.uplinks.push(uplink("kddi-2", 1));
    config.policy.treatment.strategy = Strategy::Balanced(BTreeMap::new());
    let policy = policy_of(&config);
    let both = Memory { also: vec![KDDI], ..on(NTT) };
    let kddi_2_is_new = |iij| decided_by(&policy, &[up(50.0), up(50.0), iij, up(1.0)], &both);
    assert_eq!(kddi_2_is_new(up(50.0)).shares.len(), 2, "the second of KDDI has not joined yet");
    assert_eq!(kddi_2_is_new(up(50.0)).backup, Some(IIJ), "though policy prefers the second of KDDI");
    assert_eq!(kddi_2_is_new(down()).backup, Some(UplinkId(3)), "better than none");
}

#[test]
fn the_second_uplink_of_an_isp_takes_over_by_preference() {
    let policy = policy_of(&with_local_redundancy());
    assert_eq!(decided_by(&policy, &[down(), up(50.0), up(50.0), up(50.0)], &on(NTT)).chosen, Some(NTT_2));
}

#[test]
fn a_backup_is_kept_when_it_degrades_for_a_moment() {
    let decide = |ago| decided([up(50.0), degraded(ago), up(50.0)], &with_backup(NTT, KDDI));
    assert_eq!(decide(4.0).backup, Some(KDDI));
    assert_eq!(decide(4.0).review_at, Some(ago(4.0) + seconds(5)));
    assert_eq!(decide(5.0).backup, Some(IIJ));
}

#[test]
fn a_more_preferred_backup_returns_when_it_has_been_up_for_return_after() {
    let decide = |ago| decided([up(50.0), up(ago), up(50.0)], &with_backup(NTT, IIJ));
    assert_eq!(decide(9.0).backup, Some(IIJ));
    assert_eq!(decide(9.0).review_at, Some(ago(9.0) + seconds(10)));
    assert_eq!(decide(10.0).backup, Some(KDDI));
}

#[test]
fn a_backup_that_is_lost_is_replaced_at_once() {
    assert_eq!(decided([up(50.0), down(), up(0.0)], &with_backup(NTT, KDDI)).backup, Some(IIJ));
}

#[test]
fn an_adopted_backup_is_kept_while_it_is_being_measured() {
    let decide = |ago| decided([up(1.0), up(1.0), unknown(ago)], &with_backup(NTT, IIJ));
    assert_eq!(decide(1.0).backup, Some(IIJ));
    let waited = super::policy().first_measurement().as_secs_f64();
    assert_eq!(decide(waited).backup, Some(KDDI));
}

#[test]
fn the_uplink_that_was_left_degraded_becomes_the_backup() {
    let decision: Decision = decided([degraded(5.0), up(50.0), down()], &with_backup(NTT, KDDI));
    assert_eq!((decision.chosen, decision.backup), (Some(KDDI), Some(NTT)));
}

#[test]
fn memory_is_what_the_decision_says() {
    let decision = decided([down(), up(50.0), up(50.0)], &with_backup(NTT, KDDI));
    assert_eq!(decision.memory(), Memory { chosen: Some(KDDI), backup: Some(IIJ), since: NOW, ..Memory::default() });
}
