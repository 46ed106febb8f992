//! Everything that is known of one path.

use crate::{
    cli::{
        figures::{ABSENT, age, loss_with_bounds, milliseconds, span},
        output::{Colour, Facts, Style, visible},
        sparkline::{heights, losses, range},
        table::{Align, Cell, Table},
    },
    domain::view::{HandshakeView, PathReport, PathView, TargetView, WindowView},
};

/// Share of a span that must be covered for its name not to promise too much.
const COVERED: f64 = 0.9;

/// The facts, the spans of the past and the targets.
pub fn render(report: &PathReport, style: Style) -> String {
    let path = &report.path;
    let used = if path.selected { ", used" } else { "" };
    let head = visible(&format!("{} by {} ({}){used}\n", path.class, path.uplink, path.isp).replace('\n', ""));
    let parts = [facts(report, style), windows(report).render(style), targets(&report.targets).render(style)];
    format!("{head}\n{}", parts.join("\n"))
}

fn facts(report: &PathReport, style: Style) -> String {
    let path = &report.path;
    let mut facts = Facts::default();
    let state = style.paint(Colour::of_state(path.state), path.state.as_str());
    facts.add("state", format!("{state} for {}: {}", span(path.since_s), visible(&path.evidence)));
    facts.add("probes", probes(path));
    if path.service_ms.is_some() {
        let median = milliseconds(path.service_ms);
        facts.add("service", format!("{median} (median) to the end of the TLS handshake or the first byte of HTTP"));
    }
    if let Some((shortest, longest)) = range(&report.trend) {
        let scale = format!("{} to {}", milliseconds(Some(shortest)), milliseconds(Some(longest)));
        facts.add("last hour", format!("[{}] median of 2 min, {scale}", heights(&report.trend, style).render(style)));
    }
    if report.trend.iter().any(|point| point.loss_ratio.is_some()) {
        let tenths = "tenths lost of 2 min, rounded up";
        facts.add("lost", format!("[{}] {tenths}", losses(&report.trend, style).render(style)));
    }
    if let Some(seen) = &report.handshakes {
        facts.add("users", handshakes(seen));
    }
    facts.render()
}

/// What the table of windows does not say.
fn probes(path: &PathView) -> String {
    let last = path.age_s.map_or("none sent yet".to_owned(), |_| format!("last sent {} ago", age(path.age_s)));
    let jitter =
        path.jitter_smoothed_ms.map(|_| format!("jitter {} smoothed", milliseconds(path.jitter_smoothed_ms)));
    [Some(last), jitter].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What users felt, apart from what probes measured.
fn handshakes(seen: &HandshakeView) -> String {
    let HandshakeView { completed, repeated, unanswered, refused, one_in, .. } = *seen;
    let kinds = [(repeated, "after a repeated SYN"), (unanswered, "unanswered"), (refused, "refused")];
    let kinds = kinds.into_iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}"));
    let counts = [format!("{completed} in the last {}", span(seen.span_s))].into_iter().chain(kinds);
    let times = seen.rtt_ms.map(|_| {
        let [min, median, p95] = [seen.rtt_min_ms, seen.rtt_ms, seen.rtt_p95_ms].map(milliseconds);
        format!("min {min}, median {median}, p95 {p95}")
    });
    let sampled = (one_in > 1).then(|| format!("one connection in {one_in} is looked at"));
    let parts = [Some(counts.collect::<Vec<_>>().join(", ")), times, sampled];
    format!("handshakes of users: {}", parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
}

/// The newest probes, which the state is judged by, and the spans of the past.
fn windows(report: &PathReport) -> Table {
    let mut table = Table::new(&[
        ("SPAN", Align::Left),
        ("PROBES", Align::Right),
        ("LOSS (95 %)", Align::Right),
        ("MIN", Align::Right),
        ("MEDIAN", Align::Right),
        ("P95", Align::Right),
        ("P99", Align::Right),
        ("JITTER", Align::Right),
    ]);
    let path = &report.path;
    table.row(window_row(&WindowView {
        span: "newest".to_owned(),
        covered_s: 0,
        probes: path.probes as u64,
        lost: 0,
        loss_ratio: path.loss_ratio,
        loss_bounds: path.loss_bounds,
        rtt_min_ms: path.rtt_min_ms,
        rtt_ms: path.rtt_ms,
        rtt_p95_ms: path.rtt_p95_ms,
        rtt_p99_ms: path.rtt_p99_ms,
        jitter_ms: path.jitter_ms,
    }));
    for window in &report.windows {
        table.row(window_row(window));
    }
    table
}

fn window_row(window: &WindowView) -> [Cell; 8] {
    [
        Cell::from(name_of(window)),
        Cell::from(window.probes.to_string()),
        Cell::from(loss_with_bounds(window.loss_ratio, window.loss_bounds)),
        Cell::from(milliseconds(window.rtt_min_ms)),
        Cell::from(milliseconds(window.rtt_ms)),
        Cell::from(milliseconds(window.rtt_p95_ms)),
        Cell::from(milliseconds(window.rtt_p99_ms)),
        Cell::from(milliseconds(window.jitter_ms)),
    ]
}

/// The span, with what of it is covered where that is less.
fn name_of(window: &WindowView) -> String {
    match seconds_of(&window.span) {
        Some(seconds) if (window.covered_s as f64) < COVERED * seconds as f64 => {
            format!("{} (so far {})", window.span, span(window.covered_s))
        }
        _ => window.span.clone(),
    }
}

/// Length of a span by its name: `15m`, `6h`, `30d`.
fn seconds_of(name: &str) -> Option<u64> {
    let unit = match name.chars().last()? {
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    name.trim_end_matches(char::is_alphabetic).parse::<u64>().ok()?.checked_mul(unit)
}

fn targets(targets: &[TargetView]) -> Table {
    let mut table = Table::new(&[
        ("TARGET", Align::Left),
        ("MEDIAN", Align::Right),
        ("LAST", Align::Right),
        ("OUTCOME", Align::Left),
    ]);
    for target in targets {
        let outcome = target.last.as_deref().unwrap_or(ABSENT);
        let (outcome, colour) = if target.silent {
            (format!("silent while others answer, so left out: {outcome}"), Some(Colour::Yellow))
        } else {
            (outcome.to_owned(), None)
        };
        table.row([
            Cell::from(&target.target),
            Cell::from(milliseconds(target.rtt_ms)),
            Cell::from(target.age_s.map_or(ABSENT.to_owned(), |_| format!("{} ago", age(target.age_s)))),
            Cell::painted(&outcome, colour),
        ]);
    }
    if targets.is_empty() {
        table.row([Cell::from("none: this path cannot be probed")]);
    }
    table
}
