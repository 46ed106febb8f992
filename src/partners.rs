//! Microsoft's published Peering Service partners and the markets they serve; markets contain one another.
//!
//! Owns the bundled registry (`config/partners.csv`, `config/markets.csv`). Pure data: knows no other room.

/// One row of the registry that answers a question of qualification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing<'a> {
    /// Partner, as Microsoft spells it.
    pub partner: &'a str,
    /// Market of the row: the one asked for, or one that contains it.
    pub market: &'a str,
    /// Date of the list, `YYYY-MM-DD`.
    pub listed: &'a str,
}

/// The registry. All look-ups ignore case.
#[derive(Debug)]
pub struct Registry {}

impl Registry {
    /// The registry inside the binary.
    pub fn bundled() -> &'static Self {
        todo!()
    }

    /// Every known market, sorted.
    pub fn markets(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }

    /// Every known partner, sorted.
    pub fn partners(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }

    /// The market as the registry spells it.
    pub fn market(&self, _name: &str) -> Option<&str> {
        todo!()
    }

    /// The partner as the registry spells it.
    pub fn partner(&self, _name: &str) -> Option<&str> {
        todo!()
    }

    /// Whether `outer` is `inner`, or contains it (Asia contains Japan).
    pub fn contains(&self, _outer: &str, _inner: &str) -> bool {
        todo!()
    }

    /// The newest listing that makes `partner` qualified for a site in `market`.
    pub fn qualification(&self, _partner: &str, _market: &str) -> Option<Listing<'_>> {
        todo!()
    }
}
