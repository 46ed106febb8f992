//! Events as log records.

use serde_json::Value as Json;

use super::super::{
    proto::{AnyValue, KeyValue, LogRecord, Value},
    vocabulary::key,
    wall::WallClock,
};
use crate::domain::{BootTime, Event, EventKind, Severity};

/// The field of the serialized event that holds its kind; the event name says it already.
const TAG: &str = "event";

/// One event as a log record, encoded at `now`.
pub fn log_record(event: &Event, wall: &WallClock, now: BootTime) -> LogRecord {
    let (severity_number, severity_text) = severity(event.kind.severity());
    LogRecord {
        time_unix_nano: wall.unix_nanos(event.at),
        observed_time_unix_nano: wall.unix_nanos(now),
        severity_number,
        severity_text: severity_text.to_owned(),
        body: Some(AnyValue { value: Some(Value::String(event.kind.to_string())) }),
        attributes: attributes(&event.kind),
        event_name: event.kind.name().to_owned(),
    }
}

/// OTLP's number (INFO, WARN, ERROR) beside Peering Service's own word.
fn severity(severity: Severity) -> (i32, &'static str) {
    match severity {
        Severity::Information => (9, "Information"),
        Severity::Warning => (13, "Warning"),
        Severity::Error => (17, "Error"),
    }
}

/// The fields of the event. Taken from its serialized form, so that a field added there is reported without a word here;
/// `uplink`, `isp` and `class` get the very keys that metrics have.
fn attributes(kind: &EventKind) -> Vec<KeyValue> {
    let Ok(Json::Object(fields)) = serde_json::to_value(kind) else { return Vec::new() };
    fields
        .into_iter()
        .filter(|(field, _)| field != TAG)
        .filter_map(|(field, json)| Some(KeyValue::new(&format!("{}{field}", key::EVENT_FIELD), value(json)?)))
        .collect()
}

/// What is absent in the event is absent in the record.
fn value(json: Json) -> Option<Value> {
    Some(match json {
        Json::Null => return None,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(number) => match number.as_i64() {
            Some(value) => Value::Int(value),
            None => Value::Double(number.as_f64()?),
        },
        Json::String(text) => Value::String(text),
        nested @ (Json::Array(_) | Json::Object(_)) => Value::String(nested.to_string()),
    })
}
