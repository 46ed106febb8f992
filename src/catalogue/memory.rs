//! What a catalogue takes.

use ipnet::IpNet;

use super::Catalogue;

impl Catalogue {
    /// Bytes that it takes on the heap, but for names that statements share.
    pub fn memory_bytes(&self) -> usize {
        let said: usize = self.kinds.iter().map(|kind| size_of_val(&*kind.statements)).sum();
        let steered: usize = self.classes.iter().map(|class| class.prefixes.len()).sum();
        size_of_val(self.index.rows())
            + size_of_val(&*self.kinds)
            + said
            + size_of_val(&*self.statements)
            + size_of_val(&*self.classes)
            + steered * size_of::<IpNet>()
    }
}
