//! How soon the real agent, with its real defaults, finds out that a path swallows everything, or a part of it.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    thread::{self, sleep},
    time::{Duration, Instant},
};

use super::{
    super::report::{Report, Row, median},
    condition::Condition,
    extent::Extent,
    settled::{self, Profile},
};
use crate::{Agent, Branch, LabError, PathProfile};

/// Both paths while they are well.
const RTT: Duration = Duration::from_millis(20);

/// Loss that violates the default SLA of 2 %.
const LOSS: f64 = 0.05;

/// How long after a word of the agent its next one still belongs to it: longer than a degraded path is kept.
const AFTERMATH: Duration = Duration::from_secs(8);

/// Between two looks at the agent's log.
const GLANCE: Duration = Duration::from_millis(2);

/// What becomes of the preferred path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    BlackHole,
    Loss,
}

/// One question: how soon does it show with this profile?
#[derive(Debug, Clone, Copy)]
struct Question {
    profile: Profile,
    trouble: Trouble,
    runs: usize,
    patience: Duration,
}

/// When it showed in one run, since the trouble began.
#[derive(Debug, Clone, Copy)]
struct Found {
    /// The first path was told to be down or degraded.
    told: Duration,
    /// The first class was moved away.
    moved: Option<Duration>,
    /// The last of them.
    all_moved: Option<Duration>,
}

/// Asks all of them at once: most of the time is spent waiting.
pub(super) fn run(binary: &Path, extent: &Extent, report: &mut Report) -> Result<(), LabError> {
    let title = "From the moment a path goes bad until the agent says so and moves what is on it; default settings";
    report.part("detection", title);
    let questions = questions(extent);
    let answers: Vec<Vec<_>> = thread::scope(|scope| {
        let ask = |question: &Question| {
            let question = *question;
            (0..question.runs).map(|_| scope.spawn(move || question.answer(binary, extent))).collect::<Vec<_>>()
        };
        let asked: Vec<_> = questions.iter().map(ask).collect();
        let joined = |run: thread::ScopedJoinHandle<'_, _>| {
            run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        asked.into_iter().map(|runs| runs.into_iter().map(joined).collect()).collect()
    });
    for (question, answers) in questions.iter().zip(answers) {
        question.tell(&answers.into_iter().collect::<Result<Vec<_>, LabError>>()?, report);
    }
    Ok(())
}

fn questions(extent: &Extent) -> Vec<Question> {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let question = |profile, trouble, runs, patience| Question { profile, trouble, runs, patience };
    // Minutes pass before the quiet profile sees anything.
    let runs = |profile, most: usize| if profile == Profile::Quiet { most.div_ceil(3) } else { most };
    let black_holes = (extent.profiles.iter())
        .map(|&it| question(it, Trouble::BlackHole, runs(it, extent.repetitions), minutes(3)));
    let losses = extent.profiles.iter().map(|&it| question(it, Trouble::Loss, runs(it, extent.losses), minutes(5)));
    black_holes.chain(losses).filter(|question| question.runs > 0).collect()
}

impl Question {
    /// Starts an agent, lets it settle, makes the trouble and reads its log; nothing if it does not notice in time.
    fn answer(&self, binary: &Path, extent: &Extent) -> Result<Option<Found>, LabError> {
        let branch = Branch::builder().build()?;
        for isp in 0..branch.isp_count() {
            branch.fabric().isp(isp).set(PathProfile::round_trip(RTT));
        }
        let mut agent = settled::start(&branch, binary, self.profile)?;
        // Until it knows how soon each target usually answers; and not always at the same point of the schedule.
        let targets = if self.profile == Profile::Quiet { 3 } else { 1 };
        sleep(extent.calm * targets + Duration::from_secs(5).mul_f64(fastrand::f64()));
        let mut log = Log::end_of(agent.log());
        let began = Instant::now();
        self.trouble.make(&branch);
        let found = self.watch(&mut agent, &mut log, began)?;
        agent.terminate()?;
        Ok(found)
    }

    fn watch(&self, agent: &mut Agent, log: &mut Log, began: Instant) -> Result<Option<Found>, LabError> {
        let (mut told, mut moved, mut all_moved) = (None, None, None);
        let mut deadline = began + self.patience;
        while Instant::now() < deadline {
            let now = began.elapsed();
            for line in log.news() {
                if told.is_none() && self.trouble.is_told_by(&line) {
                    told = Some(now);
                }
                if told.is_some() {
                    // The rest follows soon, or is not this trouble's.
                    deadline = began + now + AFTERMATH;
                }
                if line.contains(" moved from wan0 to ") {
                    moved = moved.or(Some(now));
                    all_moved = Some(now);
                }
            }
            agent.check_running()?;
            sleep(GLANCE);
        }
        Ok(told.map(|told| Found { told, moved, all_moved }))
    }

    fn tell(&self, answers: &[Option<Found>], report: &mut Report) {
        let subject = format!("{}: {}", self.profile, self.trouble);
        let found: Vec<Found> = answers.iter().flatten().copied().collect();
        if found.is_empty() {
            return report.missing(&subject, &format!("not noticed within {} s", self.patience.as_secs()));
        }
        let told = median(&found.iter().map(|found| found.told).collect::<Vec<_>>());
        let written = |times: Vec<Duration>| match times.as_slice() {
            [] => "not at all".to_owned(),
            times => format!("{:.2} s", median(times).as_secs_f64()),
        };
        let worst = found.iter().map(|found| found.told).max().unwrap_or_default();
        report.row(&Row {
            subject,
            took: Some(told),
            repetitions: found.len(),
            rss_mib: None,
            note: format!(
                "worst {:.2} s; first class moved after {}, the last after {}{}",
                worst.as_secs_f64(),
                written(found.iter().filter_map(|found| found.moved).collect()),
                written(found.iter().filter_map(|found| found.all_moved).collect()),
                match answers.len() - found.len() {
                    0 => String::new(),
                    unnoticed => format!("; not noticed in {unnoticed} more runs of {} s", self.patience.as_secs()),
                },
            ),
        });
        let figure = match (self.trouble, self.profile) {
            (Trouble::BlackHole, Profile::Fast) => "blackhole_detect_ms_fast",
            (Trouble::BlackHole, Profile::Normal) => "blackhole_detect_ms_normal",
            _ => return,
        };
        report.figure(figure, told.as_secs_f64() * 1e3);
    }
}

impl Trouble {
    fn make(self, branch: &Branch) {
        match self {
            Self::BlackHole => branch.fabric().isp(0).set(PathProfile::round_trip(RTT).blackhole()),
            Self::Loss => Condition { loss: LOSS, ..Condition::calm(RTT) }.apply(branch.fabric()),
        }
    }

    fn is_told_by(self, line: &str) -> bool {
        let state = match self {
            Self::BlackHole => "-> down",
            Self::Loss => "-> degraded",
        };
        line.contains("by wan0: ") && line.contains(state)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BlackHole => f.write_str("black hole"),
            Self::Loss => write!(f, "{} % loss", LOSS * 100.0),
        }
    }
}

/// The agent's log, from some point on.
struct Log {
    path: PathBuf,
    read: usize,
}

impl Log {
    fn end_of(path: PathBuf) -> Self {
        let mut log = Self { path, read: 0 };
        log.news();
        log
    }

    /// Whole lines that were written since the last look.
    fn news(&mut self) -> Vec<String> {
        let text = fs::read(&self.path).unwrap_or_default();
        let news = text.get(self.read..).unwrap_or_default();
        let whole = news.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        self.read += whole;
        String::from_utf8_lossy(news.get(..whole).unwrap_or_default()).lines().map(str::to_owned).collect()
    }
}
