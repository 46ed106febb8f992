//! The outcome as data: what `report.json` holds, and what text and page are made from.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use crate::{
    domain::{Category, ClassId, Family, calendar, view::rounded_milliseconds},
    quality::wilson_bounds,
    recording::{ClassHead, Faults},
};

use super::{
    Survey,
    path::Path,
    tally::Tally,
    verdict::{self, Verdict},
};

/// Probes that an hour of the day must have to be the best or the worst.
const PROBES_OF_HOUR: u64 = 30;

/// Shares at which the distribution is told: every 2 %, and closer at its end.
fn shares() -> impl Iterator<Item = f64> {
    (0_u8..50).map(|step| f64::from(step) / 50.0).chain([0.99, 0.995, 0.999, 1.0])
}

/// Outcome of a survey.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SurveyReport {
    /// Name of the site.
    pub site: String,
    /// Its market.
    pub market: String,
    /// First and last moment by the site's clock; absent where that was never set.
    pub start: Option<String>,
    /// Last moment.
    pub end: Option<String>,
    /// Minutes by which the site's time is ahead of UTC.
    pub utc_offset: i16,
    /// Time recorded, seconds, without the time between two runs.
    pub recorded_s: u64,
    /// Runs of the agent.
    pub runs: usize,
    /// Samples.
    pub samples: u64,
    /// What is wrong with the recording, in words.
    pub faults: Vec<String>,
    /// Length of a block of time, seconds.
    pub block_s: u64,
    /// Blocks of time.
    pub blocks: usize,
    /// Begin of the first block: seconds of the site's clock since 1970, or absent.
    pub axis_s: Option<u64>,
    /// Names of the uplinks as people read them, in the order of the recording.
    pub uplinks: Vec<String>,
    /// Destinations by region; those without one first.
    pub regions: Vec<Region>,
}

/// Destinations of an Azure region.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Region {
    /// Its short name; absent for Microsoft 365, own lists and anycast.
    pub region: Option<String>,
    /// All destinations of it together, by uplink.
    pub uplinks: Vec<UplinkFigures>,
    /// By service.
    pub destinations: Vec<Destination>,
}

/// An uplink and all destinations of a region.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UplinkFigures {
    /// Uplink.
    pub uplink: String,
    /// Median RTT, milliseconds.
    pub rtt_median_ms: Option<f64>,
    /// Lost probes, 0 to 1.
    pub loss: Option<f64>,
}

/// One destination.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Destination {
    /// Class.
    pub class: ClassId,
    /// Service.
    pub service: String,
    /// Family.
    pub family: Family,
    /// Microsoft 365 category.
    pub category: Option<Category>,
    /// By uplink, the fastest first.
    pub paths: Vec<PathFigures>,
    /// The fastest compared with each of the others.
    pub verdicts: Vec<Verdict>,
}

/// One uplink and one destination.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PathFigures {
    /// Uplink.
    pub uplink: String,
    /// Probes with a last word that says something of the path.
    pub probes: u64,
    /// Lost ones among them.
    pub lost: u64,
    /// Their share, 0 to 1.
    pub loss: Option<f64>,
    /// Bounds between which it lies with 95 % confidence (Wilson).
    pub loss_bounds: Option<[f64; 2]>,
    /// Smallest RTT.
    pub rtt_min_ms: Option<f64>,
    /// Median RTT.
    pub rtt_median_ms: Option<f64>,
    /// 95th percentile of RTT.
    pub rtt_p95_ms: Option<f64>,
    /// 99th percentile of RTT.
    pub rtt_p99_ms: Option<f64>,
    /// Mean absolute delay variation of consecutive answers of one target (RFC 3393).
    pub jitter_ms: Option<f64>,
    /// Share of the time in which the path was not down, 0 to 1.
    pub availability: Option<f64>,
    /// Hour of the site's day with the smallest median.
    pub best_hour: Option<Hour>,
    /// Hour of the site's day with the largest median.
    pub worst_hour: Option<Hour>,
    /// By block of time, those with probes.
    pub series: Vec<Point>,
    /// Share of answers that took no longer, with that time in milliseconds.
    pub distribution: Vec<[f64; 2]>,
}

/// An hour of the site's day.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Hour {
    /// It begins at this hour.
    pub hour: usize,
    /// Median RTT, milliseconds.
    pub rtt_median_ms: f64,
}

/// A block of time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// Number of the block.
    pub block: usize,
    /// 5th percentile of RTT, milliseconds.
    pub rtt_p5_ms: Option<f64>,
    /// Median RTT.
    pub rtt_median_ms: Option<f64>,
    /// 95th percentile of RTT.
    pub rtt_p95_ms: Option<f64>,
    /// Probes.
    pub probes: u64,
    /// Lost ones.
    pub lost: u64,
}

/// Puts the outcome together.
pub(super) fn report(survey: &Survey, faults: &Faults) -> SurveyReport {
    let dating = &survey.dating;
    let header = dating.header();
    let utc_offset = header.map_or(0, |header| header.utc_offset);
    let spans: Vec<_> = (0..dating.runs()).filter_map(|run| Some((run, dating.span(run)?))).collect();
    let dated = |run, at| dating.wall(run, at).map(|wall| calendar::local(wall, utc_offset));
    SurveyReport {
        site: header.map(|header| header.site.clone()).unwrap_or_default(),
        market: header.map(|header| header.market.clone()).unwrap_or_default(),
        start: spans.first().and_then(|(run, (start, _))| dated(*run, *start)),
        end: spans.last().and_then(|(run, (_, end))| dated(*run, *end)),
        utc_offset,
        recorded_s: dating.recorded().as_secs(),
        runs: dating.runs(),
        samples: survey.samples,
        faults: faults_in_words(survey, faults),
        block_s: survey.blocks.length.as_secs(),
        blocks: survey.blocks.count,
        axis_s: survey.blocks.origin.map(|origin| survey.blocks.local(origin).as_secs()),
        uplinks: (0..survey.uplinks.len()).map(|uplink| label(survey, uplink)).collect(),
        regions: regions(survey),
    }
}

fn faults_in_words(survey: &Survey, faults: &Faults) -> Vec<String> {
    let left_out = (survey.left_out > 0).then(|| format!("{} samples are left out: too many paths", survey.left_out));
    faults.in_words().into_iter().chain(left_out).collect()
}

/// ISP alone where that says all: `NTT`, or `NTT (wan1)`.
fn label(survey: &Survey, uplink: usize) -> String {
    let Some((name, isp)) = survey.uplinks.get(uplink) else { return String::new() };
    let sole = survey.uplinks.iter().filter(|(_, other)| other == isp).count() == 1;
    if sole || name == isp { isp.clone() } else { format!("{isp} ({name})") }
}

fn regions(survey: &Survey) -> Vec<Region> {
    let mut by_region: BTreeMap<Option<&str>, Vec<&ClassHead>> = BTreeMap::new();
    for class in survey.classes.values() {
        by_region.entry(class.region.as_deref()).or_default().push(class);
    }
    by_region
        .into_iter()
        .map(|(region, mut classes)| {
            classes.sort_by(|a, b| (&a.service, a.family, &a.id).cmp(&(&b.service, b.family, &b.id)));
            Region {
                region: region.map(str::to_owned),
                uplinks: (0..survey.uplinks.len()).map(|uplink| together(survey, &classes, uplink)).collect(),
                destinations: classes.into_iter().map(|class| destination(survey, class)).collect(),
            }
        })
        .collect()
}

fn together(survey: &Survey, classes: &[&ClassHead], uplink: usize) -> UplinkFigures {
    let mut all = Tally::default();
    for path in classes.iter().filter_map(|class| survey.paths.get(&(class.id.clone(), uplink))) {
        all.merge(&path.whole);
    }
    UplinkFigures { uplink: label(survey, uplink), rtt_median_ms: all.rtt_ms(0.5), loss: all.loss() }
}

fn destination(survey: &Survey, class: &ClassHead) -> Destination {
    let path = |uplink: usize| survey.paths.get(&(class.id.clone(), uplink));
    let known = (0..survey.uplinks.len()).filter_map(|uplink| Some((label(survey, uplink), path(uplink)?)));
    let mut paths: Vec<(String, &Path)> =
        known.filter(|(_, path)| path.down + path.alive > Duration::ZERO || path.whole.probes > 0).collect();
    // Those that never answered come last; of equals the first of the recording.
    paths.sort_by_key(|(_, path)| path.whole.rtt.quantile(0.5).unwrap_or(Duration::MAX));
    let verdicts = match paths.split_first() {
        Some(((name, best), others)) if best.whole.rtt.count() > 0 => {
            others.iter().map(|(other, path)| verdict::verdict((name, best), (other, path))).collect()
        }
        _ => Vec::new(),
    };
    Destination {
        class: class.id.clone(),
        service: class.service.clone(),
        family: class.family,
        category: class.category,
        paths: paths.into_iter().map(|(uplink, path)| figures(uplink, path)).collect(),
        verdicts,
    }
}

fn figures(uplink: String, path: &Path) -> PathFigures {
    let Tally { probes, lost, rtt } = &path.whole;
    let hours = || {
        let enough = path.hours.iter().filter(|(_, tally)| tally.probes >= PROBES_OF_HOUR);
        enough.filter_map(|(hour, tally)| Some(Hour { hour: *hour, rtt_median_ms: tally.rtt_ms(0.5)? }))
    };
    let by_median = |one: &Hour, two: &Hour| one.rtt_median_ms.total_cmp(&two.rtt_median_ms);
    let several = hours().count() > 1;
    PathFigures {
        uplink,
        probes: *probes,
        lost: *lost,
        loss: path.whole.loss(),
        loss_bounds: wilson_bounds(*lost, *probes).map(|(low, high)| [low, high]),
        rtt_min_ms: rtt.min().map(rounded_milliseconds),
        rtt_median_ms: path.whole.rtt_ms(0.5),
        rtt_p95_ms: path.whole.rtt_ms(0.95),
        rtt_p99_ms: path.whole.rtt_ms(0.99),
        jitter_ms: path.jitter().map(rounded_milliseconds),
        availability: path.availability(),
        best_hour: hours().min_by(by_median).filter(|_| several),
        worst_hour: hours().max_by(by_median).filter(|_| several),
        series: path.blocks.iter().map(|(block, tally)| point(*block, tally)).collect(),
        distribution: shares().filter_map(|share| Some([share, path.whole.rtt_ms(share)?])).collect(),
    }
}

fn point(block: usize, tally: &Tally) -> Point {
    Point {
        block,
        rtt_p5_ms: tally.rtt_ms(0.05),
        rtt_median_ms: tally.rtt_ms(0.5),
        rtt_p95_ms: tally.rtt_ms(0.95),
        probes: tally.probes,
        lost: tally.lost,
    }
}
