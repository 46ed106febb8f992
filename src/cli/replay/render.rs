//! The outcome of a replay as people read it.

use crate::{
    cli::{
        figures::{ABSENT, count, milliseconds, or_absent, percent, span},
        output::{Facts, Style, visible},
        table::{Align, Cell, Table},
    },
    domain::ClassId,
    replay::{
        ClassReport, DecisionReport, Difference, IspShare, MoveKind, PolicyReport, RecordingReport, Report, When,
    },
};

/// Rows of a list that people get; JSON has all.
const MOST_ROWS: usize = 40;

/// The whole report.
pub fn render(report: &Report, style: Style) -> String {
    let mut parts = vec![recording(&report.recording), figures(report, style)];
    for policy in &report.policies {
        parts.push(classes(policy, style));
    }
    for policy in &report.policies {
        parts.push(decisions(policy, style));
    }
    if let ([one, other], Some(differences)) = (report.policies.as_slice(), &report.differences) {
        parts.push(different(one, other, differences, style));
    }
    parts.join("\n")
}

fn recording(recording: &RecordingReport) -> String {
    let mut facts = Facts::default();
    facts.add("site", visible(&format!("{}, market {}", recording.site, recording.market)));
    if let (Some(start), Some(end)) = (&recording.start, &recording.end) {
        let recorded = span(whole(recording.recorded_s));
        let runs = count(recording.runs, "run", "runs");
        facts.add("recorded", format!("{} to {}: {recorded} in {runs}", moment(start), moment(end)));
    }
    facts.add("samples", recording.samples.to_string());
    for fault in &recording.faults {
        facts.add("attention", visible(fault));
    }
    facts.render()
}

/// Figures in rows, policies in columns.
fn figures(report: &Report, style: Style) -> String {
    let mut columns = vec![("POLICY", Align::Left)];
    columns.extend(report.policies.iter().map(|policy| (policy.name.as_str(), Align::Right)));
    let mut table = Table::new(&columns);
    let mut row = |name: String, figure: &dyn Fn(&PolicyReport) -> String| {
        let figures = report.policies.iter().map(|policy| Cell::from(figure(policy)));
        table.row(std::iter::once(Cell::from(name)).chain(figures));
    };
    row("moves, forced".to_owned(), &|policy| policy.moves.forced.to_string());
    row("moves, voluntary".to_owned(), &|policy| policy.moves.voluntary.to_string());
    for isp in isps(report) {
        row(format!("time on {isp}"), &|policy| {
            policy.isps.iter().find(|share| share.isp == isp).map_or_else(|| ABSENT.to_owned(), on)
        });
    }
    row("left to the main table".to_owned(), &|policy| lasting(policy.unsteered_s));
    row("out of SLA".to_owned(), &|policy| lasting(policy.out_of_sla_s));
    row("RTT median".to_owned(), &|policy| milliseconds(policy.rtt.median_ms));
    row("RTT 95 %".to_owned(), &|policy| milliseconds(policy.rtt.p95_ms));
    row("RTT 99 %".to_owned(), &|policy| milliseconds(policy.rtt.p99_ms));
    row("loss".to_owned(), &|policy| percent(policy.rtt.loss));
    row("slowest class".to_owned(), &|policy| or_absent(policy.worst.as_ref().map(ClassId::as_str)).to_owned());
    let mut text = table.render(style);
    text.push_str("Times are summed over classes; RTT and loss are those of the paths in charge.\n");
    for policy in &report.policies {
        for note in &policy.notes {
            text.push_str(&visible(&format!("note ({}): {note}", policy.name)));
            text.push('\n');
        }
    }
    text
}

/// Every ISP that some policy used, in the order of the first that did.
fn isps(report: &Report) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for share in report.policies.iter().flat_map(|policy| &policy.isps) {
        if !names.contains(&share.isp.as_str()) {
            names.push(&share.isp);
        }
    }
    names
}

fn classes(policy: &PolicyReport, style: Style) -> String {
    let mut table = Table::new(&[
        ("CLASS", Align::Left),
        ("OUT OF SLA", Align::Right),
        ("FORCED", Align::Right),
        ("VOLUNTARY", Align::Right),
        ("MEDIAN", Align::Right),
        ("95 %", Align::Right),
        ("99 %", Align::Right),
        ("LOSS", Align::Right),
        ("ON", Align::Left),
    ]);
    for class in &policy.classes {
        table.row([
            Cell::from(class.class.as_str()),
            Cell::from(lasting(class.out_of_sla_s)),
            Cell::from(class.moves.forced.to_string()),
            Cell::from(class.moves.voluntary.to_string()),
            Cell::from(milliseconds(class.rtt.median_ms)),
            Cell::from(milliseconds(class.rtt.p95_ms)),
            Cell::from(milliseconds(class.rtt.p99_ms)),
            Cell::from(percent(class.rtt.loss)),
            Cell::from(places(class)),
        ]);
    }
    format!("Classes by {}\n{}", visible(&policy.name), table.render(style))
}

/// `kordia 98.2 %, ccl 1.8 %`.
fn places(class: &ClassReport) -> String {
    let mut places: Vec<String> =
        class.isps.iter().map(on).zip(&class.isps).map(|(on, it)| format!("{} {on}", it.isp)).collect();
    // The first seconds of days are not worth a word.
    if class.unsteered_s > class.decided_s * 5e-4 {
        places.push(format!("main table {}", percent(Some(class.unsteered_s / class.decided_s))));
    }
    if places.is_empty() { ABSENT.to_owned() } else { places.join(", ") }
}

fn decisions(policy: &PolicyReport, style: Style) -> String {
    let title = format!("Decisions by {}", visible(&policy.name));
    if policy.decisions.is_empty() {
        return format!("{title}: none\n");
    }
    let mut table = Table::new(&[
        ("TIME", Align::Left),
        ("CLASS", Align::Left),
        ("FROM", Align::Left),
        ("TO", Align::Left),
        ("KIND", Align::Left),
        ("REASON", Align::Left),
    ]);
    let groups = together(&policy.decisions);
    for group in groups.iter().take(MOST_ROWS) {
        let Some(first) = group.first() else { continue };
        let kind = match first.kind {
            MoveKind::Placed => "placed",
            MoveKind::Forced => "forced",
            MoveKind::Voluntary => "voluntary",
        };
        table.row([
            Cell::from(moment(&first.when)),
            Cell::from(with_others(first.class.as_str(), group.len() - 1)),
            Cell::from(or_absent(first.from.as_deref())),
            Cell::from(or_absent(first.to.as_deref())),
            Cell::from(kind),
            Cell::from(&first.reason),
        ]);
    }
    format!("{title}\n{}{}", table.render(style), rest(groups.len()))
}

/// What happened to several classes in the same second is one row.
fn together(decisions: &[DecisionReport]) -> Vec<Vec<&DecisionReport>> {
    let key = |it: &DecisionReport| (it.when.run, it.when.after_ms / 1000, it.from.clone(), it.to.clone(), it.kind);
    let mut groups: Vec<Vec<&DecisionReport>> = Vec::new();
    for decision in decisions {
        match groups.last_mut() {
            Some(group) if group.first().is_some_and(|first| key(first) == key(decision)) => group.push(decision),
            _ => groups.push(vec![decision]),
        }
    }
    groups
}

fn different(one: &PolicyReport, other: &PolicyReport, differences: &[Difference], style: Style) -> String {
    if differences.is_empty() {
        return "The two policies never had a class on different uplinks.\n".to_owned();
    }
    let mut table = Table::new(&[
        ("FROM", Align::Left),
        ("UNTIL", Align::Left),
        ("LASTED", Align::Right),
        ("CLASS", Align::Left),
        (&one.name, Align::Left),
        (&other.name, Align::Left),
    ]);
    let mut groups: Vec<(&Difference, usize)> = Vec::new();
    for difference in differences {
        let key = |it: &Difference| (it.from.run, it.from.after_ms / 1000, it.until.after_ms / 1000, it.on.clone());
        match groups.last_mut() {
            Some((first, more)) if key(first) == key(difference) => *more += 1,
            _ => groups.push((difference, 0)),
        }
    }
    for (difference, more) in groups.iter().take(MOST_ROWS) {
        let [by_one, by_other] = &difference.on;
        table.row([
            Cell::from(moment(&difference.from)),
            Cell::from(moment(&difference.until)),
            Cell::from(format!("{:.1} s", difference.lasted_s)),
            Cell::from(with_others(difference.class.as_str(), *more)),
            Cell::from(or_absent(by_one.as_deref())),
            Cell::from(or_absent(by_other.as_deref())),
        ]);
    }
    format!("Where they differ\n{}{}", table.render(style), rest(groups.len()))
}

fn with_others(class: &str, others: usize) -> String {
    if others == 0 { class.to_owned() } else { format!("{class} and {others} more") }
}

fn rest(rows: usize) -> String {
    let more = rows.saturating_sub(MOST_ROWS);
    if more == 0 { String::new() } else { format!("... and {more} more; --json has all\n") }
}

fn on(share: &IspShare) -> String {
    percent(Some(share.share))
}

/// `4.1 s`, `12.5 min`, `3.2 h`; a zero without decimals, so that it is seen.
fn lasting(seconds: f64) -> String {
    match seconds {
        0.0 => "0 s".to_owned(),
        ..120.0 => format!("{seconds:.1} s"),
        ..7_200.0 => format!("{:.1} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3_600.0),
    }
}

/// By the site's clock, or since the run began where that was never set.
fn moment(when: &When) -> String {
    match &when.time {
        Some(time) => time.clone(),
        None => format!("run {} + {:.1} s", when.run, when.after_ms as f64 / 1e3),
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "spans of time are small and positive")]
fn whole(seconds: f64) -> u64 {
    seconds.round() as u64
}
