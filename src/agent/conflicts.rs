//! At start: looks once for what stands in the way, beside everything else and never before it.

use std::time::Duration;

use tokio::{sync::mpsc, time::timeout};

use crate::{
    config::Config,
    doctor::{AgentSocket, Finding, Grade, Line, Places, Topic, examine, gather},
    domain::{EventKind, Interest, Severity},
};

/// How long it may take; a router with a full routing table lists it in a second or two.
const DEADLINE: Duration = Duration::from_secs(15);

/// Begins to look. What is found comes in one message, if at all: that nothing could be looked at is no reason not to
/// steer.
pub(super) fn look(config: &Config, interest: &Interest) -> mpsc::Receiver<Vec<EventKind>> {
    let (sender, receiver) = mpsc::channel(1);
    let (own, uplinks, destinations) = (config.kernel.clone(), Line::all(config), interest.destinations.clone());
    tokio::spawn(async move {
        let places = Places::default();
        let looking = gather(&places, &own, Some(uplinks), destinations, AgentSocket::Ourselves);
        match timeout(DEADLINE, looking).await {
            Ok(Ok(evidence)) => {
                let _ = sender.send(examine(&evidence).into_iter().filter_map(event).collect()).await;
            }
            Ok(Err(error)) => log::warn!("did not look for conflicts: {error}"),
            Err(_) => log::warn!("did not look for conflicts: reading took over {DEADLINE:?}; try `peerward doctor`"),
        }
    });
    receiver
}

/// Advice is for those who ask, and of uplinks the agent tells by itself.
fn event(finding: Finding) -> Option<EventKind> {
    let severity = match finding.severity {
        Grade::Error => Severity::Error,
        Grade::Warning => Severity::Warning,
        Grade::Ok | Grade::Skipped | Grade::Advice => return None,
    };
    (finding.topic != Topic::Uplinks).then(|| EventKind::ConflictFound {
        topic: finding.topic.as_str().to_owned(),
        finding: finding.found,
        meaning: finding.meaning.unwrap_or_default(),
        remedy: finding.remedy.unwrap_or_default(),
        severity,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_and_errors_become_events_and_what_the_agent_tells_anyway_does_not() {
        let of = |grade, topic| event(Finding::new(grade, topic, "found", "meaning", "remedy"));
        for (grade, severity) in [(Grade::Error, Severity::Error), (Grade::Warning, Severity::Warning)] {
            let event = of(grade, Topic::RpFilter).unwrap();
            assert_eq!((event.severity(), event.name()), (severity, "ConflictFound"));
            assert_eq!(event.to_string(), "conflict (rp-filter): found; that means: meaning; remedy: remedy");
            assert_eq!(of(grade, Topic::Uplinks), None);
        }
        for grade in [Grade::Ok, Grade::Skipped, Grade::Advice] {
            assert_eq!(of(grade, Topic::RpFilter), None);
        }
    }
}
