//! How an uplink is chosen for a class and when the class moves: the keys that `[policy]` and its rules share.

use std::time::Duration;

use super::strategy::{self, Choice, Said};
use crate::config::{
    defaults,
    document::Placed,
    finding::Wrong,
    model::{DayWindow, Fallback, Percentile, Sla, Treatment},
    reader::{Item, Section},
    values::{day_window, duration, flag, number, one_of, or_off, share_or_off},
};

const FALLBACKS: [(&str, Fallback); 2] = [("any", Fallback::Any), ("none", Fallback::None)];
const LONGEST_HOLD: Duration = Duration::from_secs(3600);
const LONGEST_STAY: Duration = Duration::from_secs(24 * 3600);
const MOST_MOVES: u32 = 3600;
const MOST_WINDOWS: usize = 8;

/// What one table says, everything that it does not say inherited.
#[derive(Debug, Clone)]
pub(super) struct Common {
    pub allow_unqualified: bool,
    pub said: Said,
    /// Its strategy is yet to be set, when it is known among which ISPs.
    pub treatment: Treatment,
}

impl Common {
    /// What holds when nothing is said.
    pub fn defaults() -> Self {
        let choice = Choice::default();
        let treatment = Treatment {
            strategy: choice.among(&[]),
            sla: Sla {
                rtt: defaults::SLA_RTT,
                percentile: defaults::SLA_PERCENTILE,
                jitter: defaults::SLA_JITTER,
                loss: defaults::SLA_LOSS,
                window: defaults::SLA_WINDOW,
            },
            fallback: defaults::FALLBACK,
            leave_after: defaults::LEAVE_AFTER,
            return_after: defaults::RETURN_AFTER,
            stay_at_least: defaults::STAY_AT_LEAST,
            moves_per_hour: defaults::MOVES_PER_HOUR,
            move_windows: Vec::new(),
        };
        Self { allow_unqualified: defaults::ALLOW_UNQUALIFIED, said: Said::of(choice), treatment }
    }
}

/// Reads it from a table; what the table does not say is as in `inherited`.
pub(super) fn read(section: &mut Section<'_>, inherited: &Common, names: &[Placed<String>]) -> Common {
    let Common { allow_unqualified, said, treatment } = inherited;
    let hold = duration(Duration::ZERO..=LONGEST_HOLD);
    let stay = duration(Duration::ZERO..=LONGEST_STAY);
    let said = strategy::read(section, &said.choice, names);
    let fallback = section.setting("fallback", treatment.fallback, one_of(&FALLBACKS));
    let allow_unqualified = section.setting("allow_unqualified", *allow_unqualified, flag);
    let leave_after = section.setting("leave_after", treatment.leave_after, &hold);
    let return_after = section.setting("return_after", treatment.return_after, &hold);
    let stay_at_least = section.setting("stay_at_least", treatment.stay_at_least, stay);
    let moves_per_hour = section.setting("moves_per_hour", treatment.moves_per_hour, number(1..=MOST_MOVES));
    let move_windows = section.take("move_windows").map(windows);
    let sla = sla(section.section("sla"), &treatment.sla);
    let treatment = Treatment {
        strategy: treatment.strategy.clone(),
        sla,
        fallback: fallback.value,
        leave_after: leave_after.value,
        return_after: return_after.value,
        stay_at_least: stay_at_least.value,
        moves_per_hour: moves_per_hour.value,
        move_windows: move_windows.unwrap_or_else(|| treatment.move_windows.clone()),
    };
    Common { allow_unqualified: allow_unqualified.value, said, treatment }
}

fn windows(item: Item<'_>) -> Vec<DayWindow> {
    let document = item.document;
    let windows = item.elements_or_none(day_window);
    if let Some(window) = windows.get(MOST_WINDOWS) {
        let problem = format!("there are more than {MOST_WINDOWS} windows");
        window.report(document, Wrong::new(problem, "join those that touch one another"));
    }
    windows.into_iter().map(|window| window.value).collect()
}

fn sla(mut section: Section<'_>, inherited: &Sla) -> Sla {
    let delay = duration(Duration::from_millis(1)..=Duration::from_secs(10));
    let age = duration(Duration::from_secs(1)..=Duration::from_secs(600));
    let percentile = number(50..=99_u8);
    let sla = Sla {
        rtt: section.setting("rtt", inherited.rtt, or_off(&delay)).value,
        percentile: section
            .setting("rtt_percentile", inherited.percentile, |item| percentile(item).map(Percentile))
            .value,
        jitter: section.setting("jitter", inherited.jitter, or_off(&delay)).value,
        loss: section.setting("loss", inherited.loss, share_or_off).value,
        window: section.setting("window", inherited.window, or_off(age)).value,
    };
    section.finish();
    sla
}
