//! What a decision is made from, and what it is.

use std::collections::BTreeMap;

use crate::{
    domain::{BootTime, Class, ClassId, PathState, Share, UplinkId},
    quality::{Figures, PathQuality},
};

use super::{Moment, Policy, Reason, Standing, Unattached, backup, choice, field::Field, hold, verdict};

/// What is known of one uplink for one class at the moment.
#[derive(Debug, Clone, PartialEq)]
pub struct PathInput {
    /// No way through the uplink, and why.
    pub unattached: Option<Unattached>,
    /// State of the path.
    pub state: PathState,
    /// Since when.
    pub since: BootTime,
    /// Figures.
    pub figures: Figures,
    /// The figures behind the state, in words, as [`PathQuality::evidence`] gives them.
    pub evidence: String,
}

impl PathInput {
    /// A path of which nothing is known yet.
    pub fn unknown(since: BootTime) -> Self {
        Self {
            unattached: None,
            state: PathState::Unknown,
            since,
            figures: Figures::default(),
            evidence: "not measured yet".to_owned(),
        }
    }

    /// The input of a path from what was measured of it and what the kernel says of its uplink.
    pub fn new(quality: &PathQuality, unattached: Option<Unattached>) -> Self {
        Self {
            unattached,
            state: quality.state(),
            since: quality.since(),
            figures: quality.figures(),
            evidence: quality.evidence(),
        }
    }
}

/// What the previous decision left behind; [`Default`] at the first start.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Memory {
    /// Uplink in charge. At start: the one the kernel already holds (adopted).
    pub chosen: Option<UplinkId>,
    /// Backup in charge.
    pub backup: Option<UplinkId>,
    /// The others in charge, where several are.
    pub also: Vec<UplinkId>,
    /// Since when.
    pub since: BootTime,
    /// It is left to the main table because what was in charge carried nothing any more.
    pub displaced: bool,
    /// Those that have been faster than the one in charge by the margin of the policy, and since when.
    pub rivals: Vec<(UplinkId, BootTime)>,
    /// When it moved though no dead path forced it, as many times as the cap asks for, oldest first.
    pub moves: Vec<BootTime>,
}

impl Memory {
    /// Whether an uplink was in charge, alone or as one of several.
    pub fn was_in_charge(&self, uplink: UplinkId) -> bool {
        self.chosen == Some(uplink) || self.also.contains(&uplink)
    }
}

impl From<&Decision> for Memory {
    fn from(decision: &Decision) -> Self {
        Self {
            chosen: decision.chosen,
            backup: decision.backup,
            also: decision.shares.iter().skip(1).map(|share| share.uplink).collect(),
            since: decision.since,
            displaced: decision.displaced,
            rivals: decision.rivals.clone(),
            moves: decision.moves.clone(),
        }
    }
}

/// One uplink as it was considered.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Uplink.
    pub uplink: UplinkId,
    /// Standing by policy.
    pub standing: Standing,
    /// Whether its ISP is a qualified partner in the site's market.
    pub qualified: bool,
    /// State of the path; `down` where the kernel has no way through the uplink.
    pub state: PathState,
    /// Whether traffic may be put on it now.
    pub usable: bool,
    /// The verdict in words.
    pub verdict: String,
}

/// The decision for one class.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Class.
    pub class: ClassId,
    /// Uplink in charge, the most preferred where several are; none: left to the main table.
    pub chosen: Option<UplinkId>,
    /// All uplinks in charge with their weights, `chosen` first.
    pub shares: Vec<Share>,
    /// Second choice: another uplink and, where there is one, another ISP.
    pub backup: Option<UplinkId>,
    /// Why.
    pub reason: Reason,
    /// Since when `chosen` is in charge (or, with none, since when the class is left to the main table).
    pub since: BootTime,
    /// Every uplink considered, best first: usable before unusable, then by state, then by preference.
    pub candidates: Vec<Candidate>,
    /// See [`Memory::displaced`].
    pub displaced: bool,
    /// See [`Memory::rivals`].
    pub rivals: Vec<(UplinkId, BootTime)>,
    /// See [`Memory::moves`].
    pub moves: Vec<BootTime>,
    /// When this decision should be looked at again though nothing happens (a hold time ends), if so; always later
    /// than the moment of the decision.
    pub review_at: Option<BootTime>,
}

impl Decision {
    /// What the next decision for the class must know of this one.
    pub fn memory(&self) -> Memory {
        Memory::from(self)
    }
}

/// Decides one class.
pub fn decide(
    policy: &Policy,
    class: &Class,
    paths: &BTreeMap<UplinkId, PathInput>,
    memory: &Memory,
    now: impl Into<Moment>,
) -> Decision {
    let moment = now.into();
    let now = moment.at;
    let field = Field::new(policy, paths, memory, moment);
    let mut choice = choice::choose(&field, memory);
    let shares: Vec<Share> =
        (choice.members.iter()).map(|member| Share { uplink: member.uplink(), weight: member.weight() }).collect();
    let chosen = shares.first().map(|share| share.uplink);
    let backup = backup::choose(&field, &choice.members, memory, &mut choice.reviews);
    let rivals = match chosen {
        Some(chosen) if Some(chosen) != memory.chosen => field.rivals_of(chosen, &[]),
        _ => field.rivals().to_vec(),
    };
    choice.reviews.extend(rivals.iter().map(|(_, since)| *since + policy.return_after));
    let others: Vec<UplinkId> = shares.iter().skip(1).map(|share| share.uplink).collect();
    let stays = chosen == memory.chosen && others == memory.also;
    Decision {
        class: class.id.clone(),
        chosen,
        shares,
        backup,
        reason: choice.reason,
        since: if stays { memory.since } else { now },
        candidates: verdict::candidates(&field, chosen),
        displaced: chosen.is_none() && (memory.chosen.is_some() || memory.displaced),
        rivals,
        moves: if choice.voluntary && !stays {
            hold::remembered(&memory.moves, policy.moves_per_hour, now)
        } else {
            memory.moves.clone()
        },
        review_at: choice.reviews.into_iter().filter(|review| *review > now).min(),
    }
}
