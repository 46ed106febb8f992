//! Kinds: prefixes of which all sources say exactly the same. Microsoft's documents have thousands, and tens of thousands of
//! prefixes; what is asked of a prefix is answered once for its kind.

use std::{collections::HashMap, sync::Arc};

use super::{
    index::SourceSet,
    statement::{Facts, Statement},
};

/// What all sources together say of some prefixes.
#[derive(Debug)]
pub(super) struct Kind {
    /// Which sources list them.
    pub sources: SourceSet,
    /// The statement that is trusted most.
    pub facts: u32,
    /// The statement that gives them to a class.
    pub claim: Option<u32>,
    /// Every statement, in order.
    pub statements: Box<[u32]>,
}

impl Kind {
    /// Judges statements about one prefix; none when there is none.
    fn judge(positions: &[u32], statements: &[Statement]) -> Option<Self> {
        let said = || positions.iter().filter_map(|position| Some((*position, statements.get(*position as usize)?)));
        let (facts, _) = said().min_by(|(_, one), (_, other)| one.trust().cmp(&other.trust()))?;
        let claims = said().filter_map(|(position, statement)| Some((statement.claim()?, position)));
        Some(Self {
            sources: said().fold(SourceSet::default(), |set, (_, statement)| set.with(statement.facts.source)),
            facts,
            claim: claims.min().map(|(_, position)| position),
            statements: positions.into(),
        })
    }

    /// The Azure region: that of the statement that gives it to a class, else of the one that is trusted most and knows one.
    pub fn region<'a>(&self, statements: &'a [Statement]) -> Option<&'a Arc<str>> {
        let of = |position: u32| statements.get(position as usize);
        let regional =
            self.statements.iter().filter_map(|position| of(*position)).filter(|it| it.facts.region.is_some());
        let claimed = self.claim.and_then(of).and_then(|statement| statement.facts.region.as_ref());
        claimed.or_else(|| regional.min_by(|one, other| one.trust().cmp(&other.trust()))?.facts.region.as_ref())
    }

    /// What is known of the prefixes.
    pub fn facts<'a>(&self, statements: &'a [Statement]) -> Option<&'a Facts> {
        statements.get(self.facts as usize).map(|statement| &statement.facts)
    }
}

/// Gives each distinct set of statements its number.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    list: Vec<Kind>,
    numbers: HashMap<Box<[u32]>, u32>,
}

impl Kinds {
    /// The number of the kind of a prefix about which these are the statements, in order.
    pub fn of(&mut self, positions: &[u32], statements: &[Statement]) -> Option<u32> {
        if let Some(known) = self.numbers.get(positions) {
            return Some(*known);
        }
        let number = u32::try_from(self.list.len()).ok()?;
        self.list.push(Kind::judge(positions, statements)?);
        self.numbers.insert(positions.into(), number);
        Some(number)
    }

    /// The kind of that number.
    pub fn get(&self, number: u32) -> Option<&Kind> {
        self.list.get(number as usize)
    }

    /// All, by number.
    pub fn into_list(self) -> Vec<Kind> {
        self.list
    }
}
