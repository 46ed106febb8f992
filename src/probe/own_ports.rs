//! The local TCP ports of recent probes, so that who watches handshakes can tell ours from those of users.

use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

/// At the highest rate of probes, those of the last quarter of a minute.
const REMEMBERED: usize = 512;

/// The newest ports; older ones are forgotten. Shared by one writer and any readers, without locks.
#[derive(Debug)]
pub struct OwnPorts {
    /// In a ring; 0 is no port.
    ports: [AtomicU16; REMEMBERED],
    next: AtomicUsize,
}

impl Default for OwnPorts {
    fn default() -> Self {
        Self { ports: [const { AtomicU16::new(0) }; REMEMBERED], next: AtomicUsize::new(0) }
    }
}

impl OwnPorts {
    /// Remembers a port.
    pub fn note(&self, port: u16) {
        let place = self.next.fetch_add(1, Ordering::Relaxed) % REMEMBERED;
        if let Some(slot) = self.ports.get(place) {
            slot.store(port, Ordering::Relaxed);
        }
    }

    /// Whether a recent probe used it.
    pub fn contains(&self, port: u16) -> bool {
        port != 0 && self.ports.iter().any(|own| own.load(Ordering::Relaxed) == port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_ports_are_known_and_the_oldest_forgotten() {
        let ports = OwnPorts::default();
        assert!(!ports.contains(0));
        for port in 1..=600 {
            ports.note(port);
        }
        assert!(ports.contains(600) && ports.contains(89));
        assert!(!ports.contains(88) && !ports.contains(601));
    }
}
