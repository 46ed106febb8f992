//! Pure: what is told of the kernel edge, each thing once.

use super::reconcile::FibStatus;
use crate::domain::EventKind;

/// What was told already.
#[derive(Debug, Default)]
pub struct KernelNews {
    /// Objects put back, and cleared.
    repairs: (u64, u64),
    failure: Option<String>,
    contest: bool,
}

impl KernelNews {
    /// What is new in a status.
    pub fn events(&mut self, status: &FibStatus) -> Vec<EventKind> {
        [self.repair(status), self.failure(status), self.contest(status)].into_iter().flatten().collect()
    }

    fn repair(&mut self, status: &FibStatus) -> Option<EventKind> {
        let (added, removed) = (status.put_back - self.repairs.0, status.cleared - self.repairs.1);
        self.repairs = (status.put_back, status.cleared);
        (added + removed > 0).then(|| EventKind::KernelRepaired {
            added: usize::try_from(added).unwrap_or(usize::MAX),
            removed: usize::try_from(removed).unwrap_or(usize::MAX),
        })
    }

    /// A single refusal is normal while a link goes down under our hands; the second in a row is told, once.
    fn failure(&mut self, status: &FibStatus) -> Option<EventKind> {
        if status.error.is_none() {
            self.failure = None;
        }
        let reason = status.error.clone().filter(|_| status.failures >= 2)?;
        if self.failure.as_ref() == Some(&reason) {
            return None;
        }
        self.failure = Some(reason.clone());
        Some(EventKind::KernelFailed { reason })
    }

    /// That another program undoes our repairs is told when we yield, once until it is over.
    fn contest(&mut self, status: &FibStatus) -> Option<EventKind> {
        let told = std::mem::replace(&mut self.contest, status.contested.is_some());
        status.contested.clone().filter(|_| !told).map(|reason| EventKind::KernelContested { reason })
    }
}
