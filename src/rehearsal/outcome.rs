//! What changes, as data.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use ipnet::IpNet;
use serde::Serialize;

use crate::{
    agent::Engine,
    config::Mode,
    domain::{Class, ClassId, view::Snapshot},
    plan::{Change, Fib, Side, difference},
};

/// Prefixes that are named as examples.
const EXAMPLES: usize = 3;

/// All that a configuration would change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// What it is laid beside: `running`, or a file.
    pub against: String,
    /// Every class of the configuration.
    pub classes: Vec<ClassOutcome>,
    /// Classes that are there now and would not be.
    pub vanishing: Vec<ClassId>,
    /// Space that would be steered and is not.
    pub begins: Space,
    /// Space that is steered and would not be.
    pub ceases: Space,
    /// What would be written to the kernel.
    pub kernel: KernelOutcome,
    /// What should be thought over.
    pub concerns: Vec<String>,
}

/// One class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassOutcome {
    /// Its id.
    pub class: ClassId,
    /// The class that decides for its destinations now, where that has another id.
    pub now: Option<ClassId>,
    /// How many prefixes it has.
    pub prefixes: usize,
    /// Uplinks that it is on now; absent when it is left to the main table, or new.
    pub from: Option<String>,
    /// Uplinks that it would be on.
    pub to: Option<String>,
    /// Whether these differ.
    pub moves: bool,
    /// Seconds until it would be there, because something holds it first.
    pub after_s: u64,
    /// Why it would be there.
    pub reason: String,
    /// Tracked flows that leave with the address of an uplink that it would leave; absent when that is not known.
    pub flows: Option<u64>,
}

/// Some address space.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Space {
    /// Routes that it takes.
    pub routes: usize,
    /// The first of them.
    pub examples: Vec<IpNet>,
}

/// Messages to the kernel, by kind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct KernelOutcome {
    /// What our tables hold is known; else all that would be there is counted.
    pub known: bool,
    /// Whether they would be sent at all: not in `observe`.
    pub written: bool,
    /// All of them.
    pub changes: usize,
    /// Next hops and groups set.
    pub next_hops_set: usize,
    /// Next hops and groups deleted.
    pub next_hops_deleted: usize,
    /// Routes added.
    pub routes_added: usize,
    /// Routes led elsewhere one by one.
    pub routes_moved: usize,
    /// Routes deleted.
    pub routes_deleted: usize,
    /// Rules added or deleted.
    pub rules: usize,
}

/// What stands now: by class, the uplinks in charge.
#[derive(Debug)]
pub(super) struct Stood(Vec<(ClassId, Option<String>)>);

impl Stood {
    pub fn of_snapshot(snapshot: &Snapshot) -> Self {
        Self(snapshot.classes.iter().map(|class| (class.id.clone(), class.uplink.clone())).collect())
    }

    pub fn of_engine(engine: &Engine) -> Self {
        Self(engine.classes().iter().map(|class| (class.id.clone(), in_charge(engine, &class.id))).collect())
    }
}

fn in_charge(engine: &Engine, class: &ClassId) -> Option<String> {
    let shares = &engine.decision(class)?.shares;
    engine.config().names_of(&shares.iter().map(|share| share.uplink).collect::<Vec<_>>())
}

/// When each class came to be where it is in the end.
#[derive(Debug, Default)]
pub(super) struct Standing(BTreeMap<ClassId, (Option<String>, Duration)>);

impl Standing {
    pub fn note(&mut self, engine: &Engine, after: Duration) {
        for class in engine.classes() {
            let on = in_charge(engine, &class.id);
            match self.0.get(&class.id) {
                Some((before, _)) if *before == on => {}
                _ => _ = self.0.insert(class.id.clone(), (on, after)),
            }
        }
    }
}

/// Lays what an engine came to beside what stands.
pub(super) fn compare(engine: &Engine, stood: &Stood, held: &Fib, after: &Standing, against: &str) -> Outcome {
    let desired = engine.desired();
    let changes = difference(&desired, held);
    let ids: BTreeSet<&ClassId> = engine.classes().iter().map(|class| &class.id).collect();
    let class = |class: &Class| {
        let now = class.id.nearest_among(stood.0.iter(), |(id, _)| id);
        let to = in_charge(engine, &class.id);
        let from = now.and_then(|(_, uplink)| uplink.clone());
        let held_for = after.0.get(&class.id).map_or(Duration::ZERO, |(_, after)| *after);
        ClassOutcome {
            class: class.id.clone(),
            now: now.map(|(id, _)| id.clone()).filter(|id| *id != class.id),
            prefixes: class.prefixes.len(),
            moves: from != to,
            from,
            to,
            after_s: held_for.as_secs(),
            reason: engine.decision(&class.id).map_or_else(String::new, |decision| decision.reason.to_string()),
            flows: None,
        }
    };
    let (new, old) = (steered(engine, &desired), steered(engine, held));
    Outcome {
        against: against.to_owned(),
        classes: engine.classes().iter().map(class).collect(),
        vanishing: stood.0.iter().map(|(id, _)| id).filter(|id| !ids.contains(id)).cloned().collect(),
        begins: Space::of(new.difference(&old)),
        ceases: Space::of(old.difference(&new)),
        kernel: KernelOutcome::of(&changes, engine.config().kernel.mode == Mode::Enforce),
        concerns: Vec::new(),
    }
}

/// Routes of classes on the primary side.
fn steered(engine: &Engine, fib: &Fib) -> BTreeSet<IpNet> {
    let tables = engine.tables(Side::Primary);
    fib.routes.keys().filter(|(table, _)| tables.contains(table)).map(|(_, prefix)| *prefix).collect()
}

impl Space {
    fn of<'a>(routes: impl Iterator<Item = &'a IpNet>) -> Self {
        let all: Vec<IpNet> = routes.copied().collect();
        Self { routes: all.len(), examples: all.into_iter().take(EXAMPLES).collect() }
    }
}

impl KernelOutcome {
    fn of(changes: &[Change], written: bool) -> Self {
        let mut outcome = Self { known: true, written, changes: changes.len(), ..Self::default() };
        for change in changes {
            let count = match change {
                Change::SetNextHop(..) | Change::SetGroup(..) => &mut outcome.next_hops_set,
                Change::DeleteNextHop(_) => &mut outcome.next_hops_deleted,
                Change::AddRoute(..) => &mut outcome.routes_added,
                Change::MoveRoute { .. } => &mut outcome.routes_moved,
                Change::DeleteRoute(..) => &mut outcome.routes_deleted,
                Change::AddRule(_) | Change::DeleteRule(_) => &mut outcome.rules,
            };
            *count += 1;
        }
        outcome
    }
}

impl Outcome {
    /// Classes that would move.
    pub fn moving(&self) -> impl Iterator<Item = &ClassOutcome> + Clone {
        self.classes.iter().filter(|class| class.moves)
    }

    /// Whether nothing would be different.
    pub fn is_still(&self) -> bool {
        self.moving().next().is_none() && self.kernel.changes == 0 && self.vanishing.is_empty()
    }
}
