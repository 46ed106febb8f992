//! Finished slices of one length, packed one after another.

use super::{
    packed::{pack, unpack},
    slice::Slice,
};

/// Bytes before each slice: its number, and the length of what follows.
const HEAD: usize = 5;

/// At most so many slices; those in which nothing was measured are left out.
#[derive(Debug, Clone)]
pub(super) struct Ring {
    bytes: Vec<u8>,
    /// Length of a slice, in steps of the finest.
    step: u16,
    slices: u8,
}

impl Ring {
    /// Without slices; allocates nothing.
    pub fn new(step: u16, slices: u8) -> Self {
        Self { bytes: Vec::new(), step: step.max(1), slices }
    }

    /// Length of a slice, in steps of the finest.
    pub fn step(&self) -> u64 {
        u64::from(self.step)
    }

    /// Adds a slice that comes after all others.
    pub fn push(&mut self, number: u64, slice: &Slice) {
        let body = pack(slice);
        let (Ok(number), Ok(length)) = (u32::try_from(number), u8::try_from(body.len())) else { return };
        if slice.probes == 0 {
            return;
        }
        self.forget_before((u64::from(number) + 1) * self.step());
        self.bytes.reserve_exact(HEAD + body.len());
        self.bytes.extend(number.to_le_bytes());
        self.bytes.push(length);
        self.bytes.extend(body);
    }

    /// Forgets what is out of the ring when the finest slice of that number is under way.
    pub fn forget_before(&mut self, finest: u64) {
        let first = (finest / self.step()).saturating_sub(u64::from(self.slices));
        let kept: usize =
            self.raw().skip_while(|(number, _)| *number < first).map(|(_, body)| HEAD + body.len()).sum();
        self.bytes.drain(..self.bytes.len().saturating_sub(kept));
    }

    /// All slices with their numbers, oldest first.
    pub fn slices(&self) -> impl Iterator<Item = (u64, Slice)> {
        self.slices_from(0)
    }

    /// Those from a number on.
    pub fn slices_from(&self, first: u64) -> impl Iterator<Item = (u64, Slice)> {
        let wanted = self.raw().filter(move |(number, _)| *number >= first);
        wanted.filter_map(|(number, body)| Some((number, unpack(body)?)))
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Most bytes that it can have on the heap.
    #[cfg(test)]
    pub fn most_bytes(&self) -> usize {
        usize::from(self.slices) * (HEAD + super::packed::MOST_BYTES)
    }

    fn raw(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (number, after) = rest.split_first_chunk::<4>()?;
            let (length, after) = after.split_first()?;
            let (body, after) = after.split_at_checked(usize::from(*length))?;
            rest = after;
            Some((u64::from(u32::from_le_bytes(*number)), body))
        })
    }
}
