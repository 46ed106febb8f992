//! `[report]`.

use std::{path::Path, time::Duration};

use crate::config::{
    defaults,
    model::Report,
    reader::Section,
    values::{duration, endpoint, number, path},
};

pub(super) fn read(mut section: Section<'_>, base: &Path) -> Option<Report> {
    let endpoint = section.require("endpoint", "\"https://otel.example.net:4318\"", endpoint);
    let ca = section.require("ca", "\"ca.pem\"", path(base));
    let cert = section.require("cert", "\"client.pem\"", path(base));
    let key = section.require("key", "\"client.key\"", path(base));
    let interval = duration(Duration::from_secs(1)..=Duration::from_secs(3600));
    let interval = section.setting("interval", defaults::REPORT_INTERVAL, interval);
    let queue_bytes = section.setting("queue_bytes", defaults::QUEUE_BYTES, number(65_536..=268_435_456_u32));
    section.finish();
    Some(Report {
        endpoint: endpoint?.value,
        ca: ca?.value,
        cert: cert?.value,
        key: key?.value,
        interval: interval.value,
        queue_bytes: usize::try_from(queue_bytes.value).unwrap_or(usize::MAX),
    })
}
