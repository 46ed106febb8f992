//! What a collector answered, and what OTLP/HTTP says that it means.

use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::{
    HeaderMap, Response, StatusCode,
    body::{Body, Bytes},
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use prost::Message;

use super::{super::line::Verdict, failure::Failure};
use crate::telemetry::{
    proto::{ExportServiceResponse, Status},
    queue::Batch,
};

/// Largest body of an answer that is read.
const BODY_LIMIT: usize = 64 << 10;

/// Characters of the collector's words that are shown.
const SHOWN: usize = 200;

/// A complete answer.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    retry_after: Option<Duration>,
    json: bool,
    body: Bytes,
}

impl Answer {
    /// Reads the body within its bound.
    pub async fn read<B>(response: Response<B>) -> Result<Self, Failure>
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = response.into_parts();
        let body = Limited::new(body, BODY_LIMIT)
            .collect()
            .await
            .map_err(|error| Failure::Answer(format!("the answer ({}) cannot be read: {error}", head.status)))?;
        Ok(Self {
            status: head.status,
            retry_after: retry_after(&head.headers),
            json: head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json")),
            body: body.to_bytes(),
        })
    }

    /// OTLP/HTTP 1.x: 2xx takes the batch, 429, 502, 503 and 504 may be tried again, all other 4xx and 5xx must not be.
    pub fn verdict(self, batch: &Batch) -> Verdict {
        match self.status.as_u16() {
            200..=299 => self.success(batch),
            429 | 502..=504 => Verdict::Retry { after: self.retry_after, reason: self.reason("tried again later") },
            400..=599 => Verdict::Refused { reason: self.reason("not tried again") },
            // Redirects could lead anywhere, also out of TLS.
            _ => Verdict::Retry { after: None, reason: self.reason("not followed; correct `endpoint` in [report]") },
        }
    }

    fn success(&self, batch: &Batch) -> Verdict {
        if self.json {
            // Against the specification, but still a collector that says yes.
            return Verdict::Acknowledged { rejected: 0, note: None };
        }
        let Ok(response) = ExportServiceResponse::decode(self.body.as_ref()) else {
            let status = self.status;
            let reason = format!("answered {status} with something that is not OTLP; correct `endpoint` in [report]");
            return Verdict::Retry { after: None, reason };
        };
        let partial = response.partial_success.unwrap_or_default();
        let rejected = u64::try_from(partial.rejected).unwrap_or_default().min(batch.items);
        let said = shown(&partial.error_message);
        let note = match (rejected, said.is_empty()) {
            (0, true) => None,
            (0, false) => Some(format!("the collector warns: {said}")),
            (_, true) => Some(format!("the collector refused {rejected} of {} records", batch.items)),
            (_, false) => Some(format!("the collector refused {rejected} of {} records: {said}", batch.items)),
        };
        Verdict::Acknowledged { rejected, note }
    }

    fn reason(&self, how: &str) -> String {
        let said = Status::decode(self.body.as_ref()).map(|status| shown(&status.message)).unwrap_or_default();
        let hint = hint(self.status);
        let status = self.status;
        let separator = if said.is_empty() { "" } else { ": " };
        format!("the collector answered {status}{separator}{said} ({how}){hint}")
    }
}

fn hint(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 403 => "; it does not let this client in: check the client certificate and its permissions",
        404 | 405 => "; it has no OTLP receiver there: check the path of `endpoint` in [report]",
        413 => "; raise its limit for request bodies, or report more often",
        415 => "; it does not take gzipped protobuf: check that `endpoint` in [report] is an OTLP receiver",
        _ => "",
    }
}

/// Seconds only: a date would be measured against a clock that may be wrong.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// Words of the other side, made safe for a terminal and a log.
fn shown(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { ' ' } else { it }).take(SHOWN).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use tokio::runtime::Builder;

    use super::*;
    use crate::telemetry::{proto::PartialSuccess, queue::Signal};

    const BATCH: Batch = Batch { signal: Signal::Metrics, body: Bytes::new(), items: 20 };

    fn judged(response: Response<Full<Bytes>>) -> Verdict {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(Answer::read(response)).unwrap().verdict(&BATCH)
    }

    fn answer(status: u16, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
        Response::builder().status(status).body(Full::new(body.into())).unwrap()
    }

    fn partial(rejected: i64, error_message: &str) -> Vec<u8> {
        let partial_success = Some(PartialSuccess { rejected, error_message: error_message.to_owned() });
        ExportServiceResponse { partial_success }.encode_to_vec()
    }

    #[test]
    fn success_takes_everything() {
        let taken = Verdict::Acknowledged { rejected: 0, note: None };
        assert_eq!(judged(answer(200, "")), taken);
        assert_eq!(judged(answer(204, "")), taken);
        assert_eq!(judged(answer(200, ExportServiceResponse::default().encode_to_vec())), taken);
    }

    #[test]
    fn partial_success_counts_what_was_refused_and_says_why() {
        let Verdict::Acknowledged { rejected, note } = judged(answer(200, partial(3, "too old"))) else { panic!() };
        assert_eq!(rejected, 3);
        assert_eq!(note.unwrap(), "the collector refused 3 of 20 records: too old");
    }

    #[test]
    fn wrong_counts_of_partial_success_are_bounded() {
        for (told, believed) in [(-5, 0), (i64::MAX, 20)] {
            let Verdict::Acknowledged { rejected, .. } = judged(answer(200, partial(told, ""))) else { panic!() };
            assert_eq!(rejected, believed);
        }
    }

    #[test]
    fn a_warning_without_refusal_is_passed_on() {
        let Verdict::Acknowledged { rejected, note } = judged(answer(200, partial(0, "deprecated"))) else {
            panic!()
        };
        assert_eq!((rejected, note.as_deref()), (0, Some("the collector warns: deprecated")));
    }

    #[test]
    fn only_four_statuses_may_be_tried_again() {
        for status in 400..600 {
            let again = matches!(judged(answer(status, "")), Verdict::Retry { .. });
            assert_eq!(again, [429, 502, 503, 504].contains(&status), "status {status}");
        }
    }

    #[test]
    fn retry_after_is_read_in_seconds() {
        let throttled = |value: &str| {
            let response = Response::builder().status(503).header(RETRY_AFTER, value).body(Full::default()).unwrap();
            let Verdict::Retry { after, .. } = judged(response) else { panic!() };
            after
        };
        assert_eq!(throttled("7"), Some(Duration::from_secs(7)));
        assert_eq!(throttled("Fri, 31 Dec 1999 23:59:59 GMT"), None);
        assert_eq!(throttled("-1"), None);
    }

    #[test]
    fn a_portal_that_says_200_does_not_swallow_the_batch() {
        assert!(matches!(judged(answer(200, "<html>log in</html>")), Verdict::Retry { .. }));
    }

    #[test]
    fn a_redirect_is_not_followed_and_loses_nothing() {
        assert!(matches!(judged(answer(302, "")), Verdict::Retry { .. }));
    }

    #[test]
    fn words_of_the_collector_are_shown_bounded_and_harmless() {
        let body = Status { message: format!("bad\u{1b}[31m\n{}", "x".repeat(10_000)) }.encode_to_vec();
        let Verdict::Refused { reason } = judged(answer(400, body)) else { panic!() };
        assert!(reason.contains("bad [31m"), "{reason}");
        assert!(reason.len() < 300 && !reason.contains(char::is_control));
    }

    #[test]
    fn an_answer_without_end_is_not_read() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let endless = answer(200, vec![0; BODY_LIMIT + 1]);
        assert!(runtime.block_on(Answer::read(endless)).is_err());
    }
}
