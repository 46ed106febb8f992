//! What becomes of answers that come later than those before them.

use std::{collections::BTreeMap, time::Duration};

use peerward::domain::{BootTime, ProbeOutcome, ProbeSample};
use peerward_lab::{Branch, MICROSOFT_IPV4, PathProfile};

use crate::prober::{answered, path, probe};

const BEFORE: Duration = Duration::from_millis(10);
const AFTER: Duration = Duration::from_millis(350);

pub fn reclassified_once() {
    let branch = Branch::builder().build().unwrap();
    let fabric = branch.fabric();
    fabric.isp(0).set(PathProfile::round_trip(BEFORE));
    let mut slowed = false;
    let samples = probe(branch.router(), vec![path(0, &format!("{MICROSOFT_IPV4}:443"))], |samples| {
        if !slowed && samples.iter().filter(|sample| answered(sample)).count() >= 6 {
            fabric.isp(0).set(PathProfile::round_trip(AFTER));
            slowed = true;
        }
        overdue_and_answered(samples) >= 2
    });
    for words in by_probe(&samples).values() {
        let last_words = words.iter().filter(|sample| sample.outcome != ProbeOutcome::Overdue).count();
        assert!(last_words <= 1 && words.len() <= 2, "{words:?}");
        if let [first, last] = words.as_slice() {
            assert_eq!(first.outcome, ProbeOutcome::Overdue, "{words:?}");
            let ProbeOutcome::Answered(rtt) = last.outcome else { continue };
            assert!(rtt >= AFTER, "the real round-trip time, not {rtt:?}");
        }
    }
}

fn by_probe(samples: &[ProbeSample]) -> BTreeMap<BootTime, Vec<&ProbeSample>> {
    let mut words: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for sample in samples {
        words.entry(sample.sent_at).or_default().push(sample);
    }
    words
}

fn overdue_and_answered(samples: &[ProbeSample]) -> usize {
    by_probe(samples).values().filter(|words| words.len() == 2 && words.iter().any(|word| answered(word))).count()
}
