//! Pure: which uplink serves which destination how well, from a recording alone.
//!
//! Owns the figures of every path over the whole recording, what can be said of two uplinks with confidence, and the report
//! as data and as one page of HTML. May know the entries of a recording and the statistics of `quality`. Reads no file and no
//! clock. Bounded: a path has at most [`blocks::MOST_BLOCKS`] blocks of time and 24 hours of the day, however long the
//! recording is.
//!
//! | file | its one idea |
//! |---|---|
//! | `blocks` | the time of a recording in blocks of equal length |
//! | `tally` | probes, losses and RTTs of some span |
//! | `path` | one path over the whole recording |
//! | `verdict` | whether one uplink is faster than another, or loses less, beyond noise |
//! | `report` | the outcome as data |
//! | `html` | the outcome as a page |

mod blocks;
mod html;
mod path;
mod report;
mod tally;
mod verdict;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, btree_map::Entry as Slot},
    sync::Arc,
};

use crate::{
    domain::{BootTime, ClassId, Family},
    recording::{Attached, ClassHead, Dating, Entry, Faults, Head},
};

use blocks::Blocks;
pub use html::page;
use path::Path;
pub use report::{Destination, Hour, PathFigures, Point, Region, SurveyReport, UplinkFigures};
pub use verdict::{Finding, Verdict};

/// By class and uplink.
type Paths = BTreeMap<(ClassId, usize), Path>;

/// Most paths: a hundred KiB each, at worst.
const MOST_PATHS: usize = 4096;

/// A survey on its way through a recording.
#[derive(Debug)]
pub struct Survey {
    dating: Dating,
    blocks: Blocks,
    /// Runs that have begun.
    runs: usize,
    head: Option<Arc<Head>>,
    /// Name and ISP of every uplink that was seen, in the order in which they were.
    uplinks: Vec<(String, String)>,
    classes: BTreeMap<ClassId, ClassHead>,
    paths: Paths,
    /// Samples of paths that are too many.
    left_out: u64,
    /// What every uplink of the run has.
    attached: BTreeMap<(usize, Family), bool>,
    samples: u64,
}

impl Survey {
    /// At the beginning. `dating` has seen the whole recording: it tells how long that is.
    pub fn new(dating: Dating) -> Self {
        Self {
            blocks: Blocks::new(&dating),
            dating,
            runs: 0,
            head: None,
            uplinks: Vec::new(),
            classes: BTreeMap::new(),
            paths: BTreeMap::new(),
            left_out: 0,
            attached: BTreeMap::new(),
            samples: 0,
        }
    }

    /// Takes the next entry of the recording.
    pub fn take(&mut self, entry: &Entry) {
        match entry {
            Entry::Began(head) => self.begin(head),
            Entry::Clock { .. } => {}
            Entry::Attachment { at, uplink, family, state } => self.attachment(*at, *uplink, *family, *state),
            Entry::Sample(sample) => {
                self.samples += 1;
                let run = self.runs.saturating_sub(1);
                let Some(head) = &self.head else { return };
                let Some(class) = head.classes.get(sample.class) else { return };
                let Some(uplink) = head.uplinks.get(sample.uplink).and_then(|it| self.position(&it.name)) else {
                    return;
                };
                let place = self.blocks.place(run, sample.at);
                let hour = self.blocks.hour(&self.dating, run, sample.at);
                match path(&mut self.paths, class, uplink, sample.at) {
                    Some(path) => path.sample(sample, place, hour),
                    None => self.left_out += 1,
                }
            }
        }
    }

    /// What came of it.
    pub fn report(mut self, faults: &Faults) -> SurveyReport {
        self.end_of_run();
        report::report(&self, faults)
    }

    fn begin(&mut self, head: &Arc<Head>) {
        self.end_of_run();
        self.runs += 1;
        for uplink in &head.uplinks {
            if self.position(&uplink.name).is_none() {
                self.uplinks.push((uplink.name.clone(), uplink.isp.clone()));
            }
        }
        for class in &head.classes {
            self.classes.insert(class.id.clone(), class.clone());
        }
        for ((class, _), path) in &mut self.paths {
            if let Some(class) = self.classes.get(class) {
                path.begin(class, head.header.start());
            }
        }
        self.attached.clear();
        self.head = Some(Arc::clone(head));
    }

    fn end_of_run(&mut self) {
        let Some(run) = self.runs.checked_sub(1) else { return };
        let Some((_, end)) = self.dating.span(run) else { return };
        for path in self.paths.values_mut() {
            path.end(end);
        }
    }

    fn attachment(&mut self, at: BootTime, uplink: usize, family: Family, state: Attached) {
        let Some(head) = self.head.clone() else { return };
        let Some(known) = head.uplinks.get(uplink).and_then(|it| self.position(&it.name)) else { return };
        let usable = state.is_usable();
        if self.attached.insert((known, family), usable) == Some(usable) {
            return;
        }
        for class in head.classes.iter().filter(|class| class.family == family) {
            let path = path(&mut self.paths, class, known, at);
            if let Some(path) = path.filter(|_| !usable) {
                path.gone(state.as_str(), at);
            }
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.uplinks.iter().position(|(known, _)| known == name)
    }
}

/// The path of a class by an uplink; none beyond [`MOST_PATHS`].
fn path<'p>(paths: &'p mut Paths, class: &ClassHead, uplink: usize, now: BootTime) -> Option<&'p mut Path> {
    let known = paths.len();
    match paths.entry((class.id.clone(), uplink)) {
        Slot::Occupied(path) => Some(path.into_mut()),
        Slot::Vacant(place) => (known < MOST_PATHS).then(|| place.insert(Path::new(class, now))),
    }
}
