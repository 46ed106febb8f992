//! What policy costs: classes and decisions from nothing, after one change, and per look-up.

use std::{
    collections::BTreeMap,
    hint::black_box,
    net::IpAddr,
    path::Path,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use peerward::{
    catalogue::{Catalogue, Rules},
    config::{self, Config, StaticList},
    domain::{BootTime, Class, ProbeOutcome, Target, UplinkId},
    partners::Registry,
    quality::{Observation, PathQuality, Thresholds},
    select::{Memory, PathInput, Policies, decide},
};

use super::{
    data,
    report::{Report, Row, median},
};
use crate::LabError;

/// Keys of the summary.
pub(super) const FIGURES: [&str; 7] =
    ["full_ms", "incremental_us", "classes", "prefixes", "lookups_per_s", "bytes_per_prefix", "full_ms_1m"];

/// Four ISPs with an uplink each.
const ISPS: usize = 4;

/// Rules beyond those for whole continents; a configuration has 64 at most.
const RULES: usize = 56;

/// Lists of the synthetic table.
const LISTS: usize = 50;

const NOW: BootTime = BootTime(Duration::from_secs(10_000));

/// How often each thing is done, and how large the synthetic tables are.
struct Extent {
    repetitions: usize,
    lookups: usize,
    sizes: &'static [usize],
}

const FULL: Extent = Extent { repetitions: 51, lookups: 2_000_000, sizes: &[1_000, 10_000, 100_000, 1_000_000] };
const QUICK: Extent = Extent { repetitions: 3, lookups: 20_000, sizes: &[1_000, 10_000] };

/// Runs all of it.
pub(super) fn play(quick: bool, report: &mut Report) -> Result<(), LabError> {
    let extent = if quick { QUICK } else { FULL };
    report.part("select", "Classes and decisions: all service tags, 4 ISPs, a rule for each region");
    let config = all_tags(false)?;
    let rules = Rules::of(&config);
    let begun = Instant::now();
    let mut catalogue = Catalogue::load_by(&config.destinations, &rules).map_err(refused)?;
    row(report, "read the file and merge what it says", &[begun.elapsed()], "once, at start");
    let prefixes = catalogue.destinations().count();
    report.figure("classes", catalogue.classes().len() as f64);
    report.figure("prefixes", prefixes as f64);
    report.figure("bytes_per_prefix", catalogue.memory_bytes() as f64 / prefixes as f64);
    let full = from_nothing(&config, &mut catalogue, extent.repetitions);
    report.figure("full_ms", median(&full).as_secs_f64() * 1e3);
    let note = format!("{} classes of {prefixes} prefixes", catalogue.classes().len());
    row(report, "classes and decisions from nothing", &full, &note);
    let changed = after_one_change(&config, &catalogue, extent.repetitions * 20);
    report.figure("incremental_us", median(&changed).as_secs_f64() * 1e6);
    row(report, "one probe result, and the decision that follows", &changed, "its path, 4 candidates");
    look_up(&catalogue, extent.lookups, report);
    let config = all_tags(true)?;
    let mut catalogue = Catalogue::of(&config).map_err(refused)?;
    let times = from_nothing(&config, &mut catalogue, extent.repetitions.min(11));
    let note = format!("{} classes, the worst that can be asked for", catalogue.classes().len());
    row(report, "the same with every tag a choice of its own", &times, &note);
    grow(&extent, report)
}

fn row(report: &mut Report, subject: &str, times: &[Duration], note: &str) {
    let (took, repetitions) = (Some(median(times)), times.len());
    report.row(&Row { subject: subject.to_owned(), took, repetitions, rss_mib: None, note: note.to_owned() });
}

fn refused(error: impl std::fmt::Display) -> LabError {
    LabError::system("prepare the benchmark", std::io::Error::other(error.to_string()))
}

/// A site in Japan with four ISPs, and what `more` says.
fn configuration(more: &str) -> Result<Config, LabError> {
    let isp = |number: usize| {
        format!(
            "[[isp]]\nname = \"isp{number}\"\nqualified_in = [\"Asia\"]\n[[isp.uplink]]\ninterface = \"wan{number}\"\n"
        )
    };
    let isps: String = (0..ISPS).map(isp).collect();
    let text = format!(
        "[site]\nname = \"bench\"\nmarket = \"Japan\"\n{isps}[policy]\npreferred = [\"isp0\", \"isp1\"]\n{more}"
    );
    config::parse(&text, Path::new("bench.toml")).map_err(refused)
}

/// All of `AzureCloud`, region by region, which is the space of all service tags but for 321 prefixes; or every tag as a
/// choice of its own, the regions first. A rule for each region, and for continents.
fn all_tags(each: bool) -> Result<Config, LabError> {
    let (regional, others): (Vec<String>, Vec<String>) =
        data::tag_names()?.into_iter().partition(|tag| tag.starts_with("AzureCloud."));
    let regions: Vec<String> =
        regional.iter().filter_map(|tag| Some(tag.split_once('.')?.1.to_lowercase())).collect();
    let known = regions.iter().filter(|region| Registry::bundled().market_of_region(region).is_some());
    let of_region = |(number, region): (usize, &String)| {
        let strategy = match number % 3 {
            0 => "ordered",
            1 => "fastest",
            _ => "balanced",
        };
        let isps = format!("[\"isp{}\", \"isp{}\"]", number % ISPS, (number + 1) % ISPS);
        rule(&format!("r-{number}"), &format!("region = \"{region}\"\nisps = {isps}\nstrategy = \"{strategy}\""))
    };
    let of_market = |market: &str| {
        let name = format!("m-{}", market.replace(' ', "-").to_lowercase());
        rule(&name, &format!("region = \"{market}\"\nisps = [\"*\"]\nstrategy = \"fastest\""))
    };
    let rules: String = known.take(RULES).enumerate().map(of_region).collect();
    let wider: String = ["Europe", "Asia", "North America", "Africa"].map(of_market).concat();
    let tags = if each { [regional, others].concat() } else { vec!["AzureCloud".to_owned()] };
    let quoted: Vec<String> = tags.iter().map(|tag| format!("\"{tag}\"")).collect();
    let (file, tags) = (data::service_tags(), quoted.join(", "));
    let steered = format!("[destinations.service_tags]\nfile = \"{}\"\ntags = [{tags}]", file.display());
    configuration(&format!("{rules}{wider}{steered}\nby_region = true\n"))
}

fn rule(name: &str, says: &str) -> String {
    format!("[[policy.rule]]\nname = \"{name}\"\n{says}\n")
}

/// What is measured of every uplink, for one class.
fn paths(config: &Config) -> BTreeMap<UplinkId, PathQuality> {
    let thresholds = Thresholds::of(config);
    let target = Target::tcp(([13, 107, 6, 152], 443).into());
    let mut paths: BTreeMap<UplinkId, PathQuality> =
        config.uplink_ids().map(|id| (id, PathQuality::new(thresholds, [target.clone()], NOW))).collect();
    let mut random = fastrand::Rng::with_seed(5);
    for probe in 0..60 {
        for (id, path) in &mut paths {
            let rtt = Duration::from_micros(10_000 + 1_000 * u64::from(id.0) + random.u64(0..500));
            observe(path, NOW + Duration::from_secs(probe), rtt);
        }
    }
    paths
}

fn observe(path: &mut PathQuality, at: BootTime, rtt: Duration) {
    let outcome = ProbeOutcome::Answered(rtt);
    let _ = path.observe(Observation { sent_at: at, target: 0, outcome, service_time: None }, at + rtt);
}

fn inputs(paths: &BTreeMap<UplinkId, PathQuality>) -> BTreeMap<UplinkId, PathInput> {
    paths.iter().map(|(id, path)| (*id, PathInput::new(path, None))).collect()
}

/// Forms the classes, resolves the policy and decides every class.
fn from_nothing(config: &Config, catalogue: &mut Catalogue, repetitions: usize) -> Vec<Duration> {
    let inputs = inputs(&paths(config));
    let later = NOW + Duration::from_secs(100);
    (0..repetitions)
        .map(|_| {
            let begun = Instant::now();
            catalogue.classify(&Rules::of(config));
            let policies = Policies::resolve(config);
            for class in catalogue.classes() {
                black_box(decide(policies.of(class.rule), class, &inputs, &Memory::default(), later));
            }
            begun.elapsed()
        })
        .collect()
}

/// A probe of one path is answered: its path is judged, and the class that goes by it decided.
fn after_one_change(config: &Config, catalogue: &Catalogue, repetitions: usize) -> Vec<Duration> {
    let policies = Policies::resolve(config);
    let mut paths = paths(config);
    let classes: Vec<&Class> = catalogue.classes().iter().collect();
    let mut memories: Vec<Memory> = vec![Memory::default(); classes.len()];
    let mut at = NOW + Duration::from_secs(100);
    (0..repetitions)
        .filter_map(|turn| {
            let position = turn % classes.len();
            let (class, memory) = (classes.get(position)?, memories.get_mut(position)?);
            at = at + Duration::from_millis(50);
            let path = paths.get_mut(&UplinkId(u16::try_from(turn % ISPS).ok()?))?;
            let begun = Instant::now();
            observe(path, at, Duration::from_millis(11));
            let decision = decide(policies.of(class.rule), class, &inputs(&paths), memory, at);
            let took = begun.elapsed();
            *memory = decision.memory();
            Some(took)
        })
        .collect()
}

/// Addresses inside and outside of what is known, in no order.
fn look_up(catalogue: &Catalogue, count: usize, report: &mut Report) {
    let mut random = fastrand::Rng::with_seed(7);
    let known: Vec<IpNet> = catalogue.destinations().map(|destination| destination.prefix).collect();
    let inside = |random: &mut fastrand::Rng| known.get(random.usize(0..known.len())).map(IpNet::broadcast);
    let addresses: Vec<IpAddr> = (0..count)
        .filter_map(|turn| {
            if turn % 4 == 0 { Some(IpAddr::from(random.u32(..).to_be_bytes())) } else { inside(&mut random) }
        })
        .collect();
    let begun = Instant::now();
    let found = addresses.iter().filter(|address| catalogue.class_of_address(**address).is_some()).count();
    let took = begun.elapsed();
    report.figure("lookups_per_s", addresses.len() as f64 / took.as_secs_f64());
    let each = took / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let note = format!("{} ns each, {found} of {} found", each.as_nanos(), addresses.len());
    row(report, "the class of a random address, three of four known", &[took], &note);
}

/// Synthetic tables in the shape of the global one, shared out to lists that rules treat apart.
fn grow(extent: &Extent, report: &mut Report) -> Result<(), LabError> {
    let list = |number: usize| {
        let isp = number % ISPS;
        let list =
            format!("[[destinations.static]]\nname = \"list-{number}\"\nprefixes = [\"20.0.{number}.0/24\"]\n");
        list + &rule(&format!("r-{number}"), &format!("service = \"list-{number}\"\nisps = \"isp{isp}\""))
    };
    let mut config = configuration(&(0..LISTS).map(list).collect::<String>())?;
    config.destinations.microsoft365.source = config::Microsoft365Source::Off;
    for &size in extent.sizes {
        let table = data::global_table(size)?;
        let mut lists: Vec<StaticList> =
            (0..LISTS).map(|number| StaticList { name: format!("list-{number}"), prefixes: Vec::new() }).collect();
        for (position, prefix) in table.iter().enumerate() {
            if let Some(list) = lists.get_mut(position % LISTS) {
                list.prefixes.push(*prefix);
            }
        }
        config.destinations.static_lists = lists;
        let mut catalogue =
            Catalogue::load_beyond(&config.destinations, &Rules::of(&config), 2 * size).map_err(refused)?;
        let times = from_nothing(&config, &mut catalogue, extent.repetitions.min(11));
        let each = median(&times).as_nanos() / size.max(1) as u128;
        row(
            report,
            &format!("{} synthetic prefixes from nothing", table.len()),
            &times,
            &format!("{each} ns a prefix"),
        );
        if size == 1_000_000 {
            report.figure("full_ms_1m", median(&times).as_secs_f64() * 1e3);
        }
    }
    Ok(())
}
