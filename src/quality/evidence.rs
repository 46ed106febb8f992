//! The figures behind a state, in words.

use crate::{
    config::Sla,
    domain::{PathState, ProbeFailure},
};

use super::{PathQuality, judged::Judged, milliseconds, targets::Standing};

impl PathQuality {
    /// The figures behind the state, in words: `RTT 62.3 ms > 40 ms, loss 5.0 % > 2 % (20 probes)`. Times to come are as of
    /// the last observation or review.
    pub fn evidence(&self) -> String {
        let probes = self.window.len();
        let mut words = match self.state {
            PathState::Down => self.cause.clone(),
            PathState::Degraded => {
                let violated = self.judgement.in_words(&self.thresholds, &self.window);
                let parts: Vec<String> = [violated, self.damping.in_words(self.seen)].into_iter().flatten().collect();
                format!("{} ({probes} probes)", parts.join("; "))
            }
            PathState::Up => {
                // Not by way of all figures: this is asked for at every decision.
                let judged = Judged::of(&self.window, &Sla::default(), 0);
                let rtt = judged.rtt(false).or_else(|| self.window.nearest_rank(50));
                let rtt = rtt.map(|rtt| format!("RTT {}", milliseconds(rtt)));
                let loss = judged.loss(false).map(|share| format!("loss {:.1} %", share.value() * 100.0));
                let parts: Vec<String> = [rtt, loss].into_iter().flatten().collect();
                format!("{} ({probes} probes)", parts.join(", "))
            }
            PathState::Unknown if probes == 0 => "not measured yet".to_owned(),
            PathState::Unknown => {
                let answered = self.window.iter().filter(|probe| !probe.is_lost()).count();
                format!("{answered} of {probes} probes answered so far")
            }
        };
        for note in self.notes() {
            words.push_str("; ");
            words.push_str(&note);
        }
        words
    }

    /// Why it is down when others answer in its targets' stead.
    pub(super) fn words_of_denial(&self, target: usize) -> String {
        let standing = self.targets.iter().nth(target).map(|(_, standing)| standing);
        let newest =
            standing.and_then(|standing| standing.failing.iter().rev().find(|attempt| attempt.is_interference()));
        let failure = match newest.map(|attempt| attempt.word) {
            Some(super::probe::Word::Failed(failure)) => failure,
            _ => ProbeFailure::Untrusted,
        };
        format!("{failure}{}", self.targets.named(target))
    }

    /// Why it is down when too few targets answer.
    pub(super) fn words_of_quorum(&self) -> String {
        let (answering, all, quorum) = (self.targets.available(false), self.targets.len(), self.targets.quorum());
        format!("{answering} of {all} targets answer, {quorum} must")
    }

    /// What of single targets explains more than the figures do.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.state == PathState::Unknown && self.first_answer.is_some() && !self.is_vouched() {
            let waiting = self.targets.names(|standing| standing.proves_identity);
            notes.extend(waiting.map(|names| format!("waits for proof of identity: {names}")));
        }
        if self.state != PathState::Down {
            for failure in
                [ProbeFailure::MtuHole, ProbeFailure::Untrusted, ProbeFailure::Unexpected, ProbeFailure::Stalled]
            {
                let names = self.targets.names(|standing: &Standing| standing.newest_failure() == Some(failure));
                notes.extend(names.map(|names| format!("{failure}: {names}")));
            }
        }
        let unresolved = Some(ProbeFailure::NotResolved);
        let nowhere = self.targets.names(|standing| standing.newest_failure() == unresolved);
        notes.extend(nowhere.map(|names| format!("{}: {names}", ProbeFailure::NotResolved)));
        notes.extend(self.targets.names(|standing| standing.silent).map(|names| format!("silent: {names}")));
        notes
    }
}
