use super::{
    IIJ, KDDI, Memory, NTT, config, decided, decided_by, degraded, down, isp, on, policy_of, unattached, unknown, up,
    uplink,
};
use crate::{config::Fallback, domain::PathState};

fn verdicts(decision: &super::Decision) -> Vec<&str> {
    decision.candidates.iter().map(|candidate| candidate.verdict.as_str()).collect()
}

#[test]
fn every_reason_says_what_happened_with_names_figures_and_times() {
    let cases = [
        (decided([up(1.0), up(1.0), up(1.0)], &on(NTT)), "NTT is preferred in Japan (global preference)"),
        (
            decided([degraded(1.0), up(1.0), up(1.0)], &on(KDDI)),
            "on KDDI (global preference): NTT: RTT 62.3 ms > 40 ms (20 probes)",
        ),
        (decided([unknown(1.0), unknown(1.0), up(1.0)], &on(KDDI)), "KDDI adopted from the kernel, not measured yet"),
        (decided([unattached(), up(1.0), up(1.0)], &on(NTT)), "left NTT: interface wan0 has no carrier; on KDDI"),
        (decided([down(), up(1.0), up(1.0)], &on(NTT)), "left NTT: 3 probes in a row lost: no answer; on KDDI"),
        (
            decided([degraded(5.0), up(1.0), up(1.0)], &on(NTT)),
            "left NTT: RTT 62.3 ms > 40 ms (20 probes) for 5 s; on KDDI",
        ),
        (decided([up(10.0), up(1.0), up(1.0)], &on(KDDI)), "returned: NTT has been up for 10 s"),
        (
            decided([degraded(2.5), up(1.0), up(1.0)], &on(NTT)),
            "stays on NTT: degraded for 2.5 s of 5 s before KDDI takes over, RTT 62.3 ms > 40 ms (20 probes)",
        ),
        (
            decided([degraded(60.0), down(), down()], &on(NTT)),
            "stays on NTT: degraded (RTT 62.3 ms > 40 ms (20 probes)), and nothing is up",
        ),
        (
            decided([up(3.0), up(100.0), up(1.0)], &on(KDDI)),
            "stays on KDDI: NTT has been up for 3 s of 10 s before traffic returns",
        ),
        (
            decided([unknown(1.0), unknown(1.0), up(1.0)], &Memory::default()),
            "waiting for first measurements of NTT, KDDI: left to the main table",
        ),
        (
            decided([down(), unattached(), down()], &on(NTT)),
            "stays on NTT: 3 probes in a row lost: no answer, and no other uplink answers",
        ),
        (
            decided([down(), unattached(), down()], &Memory::default()),
            "no usable uplink: left to the main table (NTT: 3 probes in a row lost: no answer; \
             KDDI: interface wan0 has no carrier; IIJ: 3 probes in a row lost: no answer)",
        ),
    ];
    for (decision, expected) in cases {
        assert_eq!(decision.reason.to_string(), expected);
    }
}

#[test]
fn candidates_come_best_first_each_with_its_verdict() {
    let decision = decided([up(3.0), degraded(60.0), up(100.0)], &on(IIJ));
    let uplinks: Vec<_> = decision.candidates.iter().map(|candidate| candidate.uplink).collect();
    assert_eq!(uplinks, [NTT, IIJ, KDDI]);
    assert_eq!(
        verdicts(&decision),
        [
            "up, RTT 12.1 ms, loss 0.0 % (20 probes); preferred #1 (global preference); \
             taken when up for 10 s: 3 s so far",
            "up, RTT 12.1 ms, loss 0.0 % (20 probes); fallback",
            "degraded, RTT 62.3 ms > 40 ms (20 probes); preferred #2 (global preference)",
        ]
    );
}

#[test]
fn an_unattached_candidate_is_down_and_says_why() {
    let decision = decided([unattached(), up(1.0), down()], &on(KDDI));
    let last = decision.candidates.iter().find(|candidate| candidate.uplink == NTT).unwrap();
    assert_eq!((last.state, last.usable), (PathState::Down, false));
    assert_eq!(last.verdict, "not attached: interface wan0 has no carrier; preferred #1 (global preference)");
}

#[test]
fn an_excluded_candidate_says_why() {
    let mut config = config();
    config.policy.treatment.fallback = Fallback::None;
    let decision = decided_by(&policy_of(&config), &[up(1.0), up(1.0), up(1.0)], &on(NTT));
    let last = decision.candidates.last().unwrap();
    assert_eq!((last.uplink, last.usable), (IIJ, false));
    assert_eq!(last.verdict, "excluded: not preferred here, and `fallback` is \"none\"");
}

#[test]
fn an_isp_with_several_uplinks_is_named_with_the_uplink() {
    let mut config = config();
    config.isps[0] = isp("NTT", &[0, 3]);
    config.uplinks.push(uplink("ntt-2", 0));
    let decision = decided_by(&policy_of(&config), &[down(), up(1.0), up(1.0), up(1.0)], &on(NTT));
    assert_eq!(decision.reason.to_string(), "left NTT (ntt): 3 probes in a row lost: no answer; on NTT (ntt-2)");
}

#[test]
fn with_nobody_preferred_the_fallback_says_so() {
    let mut config = config();
    config.policy.preferred = Vec::new();
    let decision = decided_by(&policy_of(&config), &[up(1.0), up(1.0), up(1.0)], &Memory::default());
    assert_eq!(decision.reason.to_string(), "NTT is the first of the fallback: no ISP is preferred in Japan");
}
