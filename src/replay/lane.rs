//! One policy's engine, driven through the recording in virtual time.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use crate::{
    agent::{Candidate, Engine},
    clock::OLDEST,
    config,
    domain::{BootTime, ClassId, EventKind, ProbeKind, ProbeSample, Target},
    recording::{Entry, Head, RecordedSample},
    select::Reason,
};

use super::{
    MoveKind,
    account::{Account, Charge},
    attachments::Attachments,
    matching::{Matching, replayable},
};

/// Decisions that are kept; those beyond are counted.
const MOST_DECISIONS: usize = 100_000;

/// A class was put on something else.
#[derive(Debug, Clone)]
pub(super) struct Moved {
    pub run: usize,
    pub at: BootTime,
    pub class: ClassId,
    pub from: Option<String>,
    pub to: Option<String>,
    pub kind: MoveKind,
    pub reason: String,
}

/// A policy on its way.
#[derive(Debug)]
pub(super) struct Lane {
    /// Without what a recording does not hold.
    pub policy: Candidate,
    engine: Option<Engine>,
    matching: Matching,
    /// How each target of each recorded class is probed.
    kinds: Vec<Vec<ProbeKind>>,
    attachments: Attachments,
    /// News of attachments that the engine was not told yet, and of when.
    untold: Option<BootTime>,
    pub accounts: BTreeMap<ClassId, Account>,
    pub moved: Vec<Moved>,
    pub omitted: u64,
    pub notes: BTreeSet<String>,
    /// Runs that have begun.
    runs: usize,
    now: BootTime,
}

impl Lane {
    pub fn new(policy: Candidate) -> Self {
        let (config, notes) = replayable(policy.config);
        Self {
            policy: Candidate { config, ..policy },
            engine: None,
            matching: Matching::default(),
            kinds: Vec::new(),
            attachments: Attachments::default(),
            untold: None,
            accounts: BTreeMap::new(),
            moved: Vec::new(),
            omitted: 0,
            notes,
            runs: 0,
            now: BootTime::default(),
        }
    }

    /// Takes the next entries.
    pub fn take_all(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.take(entry);
        }
    }

    /// Takes the next entry.
    fn take(&mut self, entry: &Entry) {
        match entry {
            Entry::Began(head) => self.begin(head),
            Entry::Clock { at, wall } => {
                self.advance(*at);
                let boot = (*wall > OLDEST).then(|| wall.saturating_sub(at.0));
                if let Some(engine) = &mut self.engine {
                    engine.set_clock(boot);
                }
            }
            Entry::Attachment { at, uplink, family, state } => {
                self.advance(*at);
                let known = self.matching.uplinks.get(*uplink).copied().flatten();
                if known.is_some_and(|id| self.attachments.set(id, *family, *state)) {
                    self.untold = self.untold.or(Some(*at));
                }
            }
            Entry::Sample(sample) => {
                self.advance(sample.at);
                self.tell_attachments();
                self.sampled(sample);
            }
        }
    }

    /// Nothing more comes.
    pub fn end(&mut self) {
        self.tell_attachments();
        let now = self.now;
        for account in self.accounts.values_mut() {
            account.charge(None, now);
        }
    }

    /// Another run of the agent: a new engine, that adopts what the one before has left in the kernel.
    fn begin(&mut self, head: &Arc<Head>) {
        self.end();
        let start = head.header.start();
        let mut engine = self.policy.engine(start);
        if let Some(before) = &self.engine {
            engine.adopt(&before.desired(), start);
        }
        let wall = Duration::from_millis(head.header.wall_ms);
        engine.set_clock((wall > OLDEST).then(|| wall.saturating_sub(start.0)));
        self.matching = Matching::new(&self.policy.config, engine.classes(), head);
        self.notes.append(&mut self.matching.notes);
        let targets = head.classes.iter().map(|class| class.targets.iter().map(|text| target(text)).collect());
        let targets: Vec<Arc<[Target]>> = targets.collect();
        for (classes, targets) in self.matching.classes.iter().zip(&targets) {
            for class in classes {
                engine.measure(class, Arc::clone(targets), start);
            }
        }
        self.kinds = targets.iter().map(|of| of.iter().map(|target| target.check.kind()).collect()).collect();
        for class in self.matching.classes.iter().flatten().flat_map(|class| engine.decided_by(class)) {
            self.accounts.entry(class.clone()).or_default().charge(None, start);
        }
        self.engine = Some(engine);
        self.attachments = Attachments::default();
        self.untold = None;
        self.runs += 1;
        self.now = start;
    }

    /// Lets time pass, with every review that falls due.
    fn advance(&mut self, to: BootTime) {
        if self.untold.is_some_and(|at| at < to) {
            self.tell_attachments();
        }
        while let Some(engine) = &mut self.engine {
            let Some(due) = engine.next_review().filter(|due| *due <= to) else { break };
            self.now = self.now.max(due);
            let events = engine.review(self.now);
            // Time would not go on with an engine that asks for the same review again.
            let stuck = engine.next_review().is_some_and(|next| next <= due);
            self.digest(&events);
            if stuck {
                break;
            }
        }
        self.now = self.now.max(to);
    }

    /// What became known of all uplinks at a moment is told at once, as the kernel's picture is.
    fn tell_attachments(&mut self) {
        if self.untold.take().is_none() {
            return;
        }
        let Some(engine) = &mut self.engine else { return };
        let events = engine.router_changed(&self.attachments.router(&self.policy.config), self.now);
        self.digest(&events);
        let all: Vec<ClassId> = self.accounts.keys().cloned().collect();
        self.charge(all.iter());
    }

    fn sampled(&mut self, sample: &RecordedSample) {
        let Some(engine) = &mut self.engine else { return };
        let Some(uplink) = self.matching.uplinks.get(sample.uplink).copied().flatten() else { return };
        let kind = self.kinds.get(sample.class).and_then(|kinds| kinds.get(sample.target)).copied();
        let mut events = Vec::new();
        for class in self.matching.classes.get(sample.class).into_iter().flatten() {
            for decided in engine.decided_by(class) {
                if let Some(account) = self.accounts.get_mut(decided) {
                    account.sample(uplink, sample.outcome);
                }
            }
            let probe = ProbeSample {
                uplink,
                class: class.clone(),
                target: sample.target,
                kind: kind.unwrap_or(ProbeKind::Tcp),
                address: sample.address,
                sent_at: sample.sent_at,
                outcome: sample.outcome,
                service_time: sample.service_time,
            };
            events.extend(engine.sampled(&probe, self.now));
        }
        self.digest(&events);
    }

    /// Takes what an engine tells: decisions, and paths that changed.
    fn digest(&mut self, events: &[EventKind]) {
        let mut touched = BTreeSet::new();
        for event in events {
            match event {
                EventKind::PrefixActivePath { class, from, to, reason, .. } => {
                    touched.insert(class.clone());
                    self.moved(class, from.as_ref(), to.as_ref(), reason);
                }
                EventKind::PathStateChanged { class, .. } => {
                    let decided = self.engine.iter().flat_map(|engine| engine.decided_by(class));
                    touched.extend(decided.cloned());
                }
                _ => {}
            }
        }
        self.charge(touched.iter());
    }

    fn charge<'c>(&mut self, classes: impl Iterator<Item = &'c ClassId>) {
        let Some(engine) = &self.engine else { return };
        for class in classes {
            if let Some(account) = self.accounts.get_mut(class) {
                account.charge(Charge::of(engine, class), self.now);
            }
        }
    }

    fn moved(&mut self, class: &ClassId, from: Option<&String>, to: Option<&String>, reason: &str) {
        let Some(account) = self.accounts.get_mut(class) else { return };
        let decision = self.engine.as_ref().and_then(|engine| engine.decision(class));
        let kind = match (from, decision.map(|decision| &decision.reason)) {
            (None, _) => MoveKind::Placed,
            (_, Some(reason)) if is_forced(reason) => MoveKind::Forced,
            _ => MoveKind::Voluntary,
        };
        account.forced += u64::from(kind == MoveKind::Forced);
        account.voluntary += u64::from(kind == MoveKind::Voluntary);
        if self.moved.len() >= MOST_DECISIONS {
            self.omitted += 1;
            return;
        }
        self.moved.push(Moved {
            run: self.runs.saturating_sub(1),
            at: self.now,
            class: class.clone(),
            from: from.cloned(),
            to: to.cloned(),
            kind,
            reason: reason.to_owned(),
        });
    }
}

/// Whether the uplink before could not carry the traffic any more, or violated its SLA for too long.
fn is_forced(reason: &Reason) -> bool {
    match reason {
        Reason::LeftLost { .. } | Reason::LeftDegraded { .. } | Reason::NothingUsable { .. } => true,
        Reason::Rebalanced { left, .. } => !left.is_empty(),
        _ => false,
    }
}

/// A target of the recording; what it was matters for whether it proves its identity, and for words.
fn target(text: &str) -> Target {
    config::target(text, 443).unwrap_or_else(|_| Target::tcp(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 443))))
}
