//! The targets of a path: which of them answer, and whose loss a loss is.
//!
//! A target is *silent* when its last `down_after` probes were lost while another target answered since the first of
//! them, and none that answered since lost anything. Its losses are its own then, and one answer ends it. That others
//! lost nothing meanwhile keeps a path that loses every other probe from passing for a good one with bad targets.

use std::{sync::Arc, time::Duration};

use crate::domain::{BootTime, ProbeFailure, Target};

use super::{
    probe::{Moment, Probe, Word},
    window::Window,
};

/// A probe without an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Try {
    pub sent: Moment,
    pub word: Word,
}

impl Try {
    /// Whether it is the last word.
    pub fn is_certain(self) -> bool {
        self.word != Word::Overdue
    }

    /// Whether something else than the target answered it, or answered in part.
    pub fn is_interference(self) -> bool {
        matches!(self.word, Word::Failed(failure) if failure.is_interference())
    }
}

/// What is known of one target.
#[derive(Debug, Clone, Default)]
pub(super) struct Standing {
    pub proves_identity: bool,
    pub silent: bool,
    /// When the newest probe that it answered was sent.
    pub answered: Option<Moment>,
    /// When the newest probe that it did not answer was sent.
    lost: Option<Moment>,
    /// Losses of probes sent before are its own: it was silent.
    own_before: Moment,
    /// The newest probes without an answer, since the last one with; at most `down_after`, oldest first.
    pub failing: Vec<Try>,
    /// When its newest probes that met interference were sent, since it last answered; bounded likewise.
    pub interfered: Vec<Moment>,
    /// Whether its newest losses may turn out to be its own.
    doubted: bool,
    /// The newest probe with its outcome.
    pub last: Option<Probe>,
    /// The newest last word: when that probe was sent, and its RTT.
    last_word: Option<(Moment, Option<Duration>)>,
}

/// One target as people see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TargetFigures {
    /// Median RTT of its answers in the window.
    pub rtt_median: Option<Duration>,
    /// What came of its newest probe; absent before the first.
    pub last: Option<crate::domain::ProbeOutcome>,
    /// When that was sent.
    pub last_sent: Option<BootTime>,
    /// Whether it is left out of the path's figures because it is silent while others answer.
    pub silent: bool,
}

/// All targets of a path.
#[derive(Debug, Clone)]
pub(super) struct Targets {
    list: Arc<[Target]>,
    standings: Vec<Standing>,
    down_after: usize,
    quorum: usize,
}

impl Targets {
    /// A path without targets is taken to have a single one of which nothing is known.
    pub fn new(list: Arc<[Target]>, down_after: u32, quorum: u32) -> Self {
        let of =
            |target: &Target| Standing { proves_identity: target.check.proves_identity(), ..Standing::default() };
        let mut standings: Vec<Standing> = list.iter().map(of).collect();
        standings.truncate(usize::from(u16::MAX));
        if standings.is_empty() {
            standings = vec![Standing::default()];
        }
        let quorum = (quorum.max(1) as usize).min(standings.len());
        Self { list, standings, down_after: down_after.max(1) as usize, quorum }
    }

    /// The position, if there is such a target.
    pub fn position(&self, target: usize) -> Option<u16> {
        u16::try_from(target).ok().filter(|_| target < self.standings.len())
    }

    /// Forgets who answered in whose stead.
    pub fn forgive(&mut self) {
        self.standings.iter_mut().for_each(|standing| standing.interfered.clear());
    }

    /// Takes what became of a probe. True when its losses are not the path's: it is silent, or was when that was sent.
    pub fn observe(&mut self, probe: &Probe) -> bool {
        let most = self.down_after;
        let Some(standing) = self.standings.get_mut(usize::from(probe.target)) else { return true };
        standing.observe(probe, most);
        probe.is_lost() && (standing.silent || probe.sent < standing.own_before)
    }

    /// The delay variation that an answer makes with the answer before it, if both are the newest of one target. Every
    /// last word has to pass here. A loss in between that is not known yet goes unnoticed.
    pub fn variation(&mut self, probe: &Probe) -> Option<Duration> {
        let standing = self.standings.get_mut(usize::from(probe.target))?;
        let before = standing.last_word.filter(|(sent, _)| *sent < probe.sent);
        if before.is_none() && standing.last_word.is_some() {
            return None;
        }
        standing.last_word = Some((probe.sent, probe.rtt()));
        Some(before?.1?.abs_diff(probe.rtt()?))
    }

    /// Decides anew whose losses are whose. Those of a target that is silent leave the window; those that may turn out to
    /// be of such a target are marked there.
    pub fn attribute(&mut self, window: &mut Window) {
        for position in 0..self.standings.len() {
            let Some(standing) = self.standings.get(position).filter(|standing| !standing.silent) else { continue };
            let run = standing.run_of_losses();
            let enough = run.len() >= super::LOSS_EVIDENCE_LOST.min(self.down_after);
            let first = run.first().map(|first| first.sent).filter(|_| enough);
            let silent = run.len() >= self.down_after;
            let alone = first.filter(|first| self.others_are_fine_since(position, *first));
            let (Some(standing), Ok(number)) = (self.standings.get_mut(position), u16::try_from(position)) else {
                continue;
            };
            standing.silent = silent && alone.is_some();
            if standing.silent {
                standing.doubted = false;
                window.forget_losses_of(number);
            } else if alone.is_some() || standing.doubted {
                standing.doubted = alone.is_some();
                window.doubt(number, alone);
            }
        }
    }

    /// Number of targets that must answer.
    pub fn quorum(&self) -> usize {
        self.quorum
    }

    /// Number of targets.
    pub fn len(&self) -> usize {
        self.standings.len()
    }

    /// Number of targets that can be asked and are not silent. A path of which nothing is known yet may still find the names
    /// that it did not find (`hopeful`).
    pub fn available(&self, hopeful: bool) -> usize {
        let is = |standing: &&Standing| !standing.silent && (hopeful || !standing.leads_nowhere());
        self.standings.iter().filter(is).count()
    }

    /// Number of targets that are not silent and answered a probe sent at `since` or later.
    pub fn answering(&self, since: Moment) -> usize {
        let answers = |standing: &&Standing| !standing.silent && standing.answered.is_some_and(|sent| sent >= since);
        self.standings.iter().filter(answers).count()
    }

    /// What is known of each, in order.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Standing)> {
        self.standings.iter().enumerate()
    }

    /// Name of a target, after a colon and a space; nothing when it is not known.
    pub fn named(&self, position: usize) -> String {
        self.list.get(position).map_or_else(String::new, |target| format!(": {target}"))
    }

    /// Names of those that fulfil a condition, if there are any: ` tls:a:443, tls:b:443`.
    pub fn names(&self, which: impl Fn(&Standing) -> bool) -> Option<String> {
        let those = self.standings.iter().zip(self.list.iter()).filter(|(standing, _)| which(standing));
        let names: Vec<String> = those.map(|(_, target)| target.to_string()).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// Bytes on the heap, without the list that the paths of a class share.
    pub fn heap_bytes(&self) -> usize {
        let lists =
            |of: &Standing| of.failing.capacity() * size_of::<Try>() + of.interfered.capacity() * size_of::<Moment>();
        self.standings.capacity() * size_of::<Standing>() + self.standings.iter().map(lists).sum::<usize>()
    }

    fn others_are_fine_since(&self, position: usize, first: Moment) -> bool {
        let later = |moment: Option<Moment>| moment.is_some_and(|moment| moment > first);
        let mut others = (self.iter())
            .filter(|(other, standing)| *other != position && later(standing.answered))
            .map(|(_, standing)| !later(standing.lost))
            .peekable();
        others.peek().is_some() && others.all(|fine| fine)
    }
}

impl Standing {
    /// The newest failure, if nothing was answered since.
    pub fn newest_failure(&self) -> Option<ProbeFailure> {
        match self.failing.last()?.word {
            Word::Failed(failure) => Some(failure),
            Word::Answered | Word::Overdue => None,
        }
    }

    /// Whether its name had no usable address when it was its turn last.
    fn leads_nowhere(&self) -> bool {
        self.newest_failure() == Some(ProbeFailure::NotResolved)
    }

    /// The newest losses without an answer between them; names that lead nowhere are no losses.
    fn run_of_losses(&self) -> &[Try] {
        let unresolved = |attempt: &Try| attempt.word == Word::Failed(ProbeFailure::NotResolved);
        let from = self.failing.iter().rposition(unresolved).map_or(0, |last| last + 1);
        self.failing.get(from..).unwrap_or_default()
    }

    fn observe(&mut self, probe: &Probe, most: usize) {
        if self.last.is_none_or(|last| last.sent <= probe.sent) {
            self.last = Some(*probe);
        }
        if !probe.is_lost() {
            return self.answer(probe.sent);
        }
        if probe.word != Word::Failed(ProbeFailure::NotResolved) {
            self.lost = self.lost.max(Some(probe.sent));
        }
        if self.answered.is_some_and(|answered| answered > probe.sent) {
            return;
        }
        let attempt = Try { sent: probe.sent, word: probe.word };
        let place = self.failing.partition_point(|other| other.sent < probe.sent);
        match self.failing.get_mut(place) {
            Some(same) if same.sent == probe.sent => *same = attempt,
            _ => insert_bounded(&mut self.failing, place, attempt, most),
        }
        if attempt.is_interference() && !self.interfered.contains(&probe.sent) {
            let place = self.interfered.partition_point(|other| *other < probe.sent);
            insert_bounded(&mut self.interfered, place, probe.sent, most);
        }
    }

    fn answer(&mut self, sent: Moment) {
        if self.lost == Some(sent) {
            // It was merely overdue.
            self.lost = None;
        }
        self.answered = self.answered.max(Some(sent));
        self.failing.retain(|attempt| attempt.sent > sent);
        self.interfered.retain(|moment| *moment > sent);
        if self.silent {
            self.silent = false;
            self.own_before = sent;
        }
    }
}

/// Keeps the last `most` of a list in order.
fn insert_bounded<T>(list: &mut Vec<T>, place: usize, item: T, most: usize) {
    if list.len() >= most {
        if place == 0 {
            return;
        }
        list.remove(0);
        list.insert(place - 1, item);
        return;
    }
    if list.len() == list.capacity() {
        list.reserve_exact(list.len().clamp(1, (most - list.len()).max(1)));
    }
    list.insert(place, item);
}
