//! What the collector received, and the questions that tests and the demo ask of it.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest},
    common::v1::{AnyValue, KeyValue, any_value},
    logs::v1::LogRecord,
    metrics::v1::{
        ExponentialHistogramDataPoint, Metric, NumberDataPoint, exponential_histogram_data_point::Buckets,
        metric::Data, number_data_point,
    },
    resource::v1::Resource,
};

/// Everything accepted, in order of arrival, and what was wrong with the rest.
#[derive(Debug, Default)]
pub struct Store {
    /// Metric requests that were accepted.
    pub metrics: Vec<ExportMetricsServiceRequest>,
    /// Log requests that were accepted.
    pub logs: Vec<ExportLogsServiceRequest>,
    /// Requests that were well-formed, whatever the answer.
    pub requests: usize,
    /// Connections accepted, before TLS.
    pub connections: usize,
    /// TLS handshakes that failed, with the reason as the server saw it.
    pub failed_handshakes: Vec<String>,
    /// Requests that break the OTLP/HTTP rules.
    pub malformed: Vec<String>,
}

/// One log record.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedEvent {
    /// Event name.
    pub name: String,
    /// Severity in words.
    pub severity: String,
    /// Severity as a number.
    pub severity_number: i32,
    /// Body.
    pub body: String,
    /// Attributes, values as text.
    pub attributes: BTreeMap<String, String>,
    /// Nanoseconds since 1970.
    pub time_unix_nano: u64,
}

/// Delta points of an exponential histogram, added up.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Histogram {
    /// Values.
    pub count: u64,
    /// Sum of the values.
    pub sum: f64,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
}

impl Store {
    /// Data points and log records accepted.
    pub fn samples(&self) -> usize {
        self.data_points() + self.log_records().count()
    }

    /// Metric data points accepted.
    pub fn data_points(&self) -> usize {
        self.all_metrics().map(|metric| numbers(metric).len() + histograms(metric).len()).sum()
    }

    /// Names of all metrics, with their units.
    pub fn metric_units(&self) -> BTreeMap<String, String> {
        self.all_metrics().map(|metric| (metric.name.clone(), metric.unit.clone())).collect()
    }

    /// The last value of a gauge or sum whose attributes include `attributes`.
    pub fn latest(&self, name: &str, attributes: &[(&str, &str)]) -> Option<f64> {
        self.values(name, attributes).pop()
    }

    /// Values of a gauge or sum whose attributes include `attributes`, added up: right for delta sums.
    pub fn sum(&self, name: &str, attributes: &[(&str, &str)]) -> f64 {
        self.values(name, attributes).iter().sum()
    }

    /// All values of a gauge or sum whose attributes include `attributes`, in order of arrival.
    pub fn values(&self, name: &str, attributes: &[(&str, &str)]) -> Vec<f64> {
        self.all_metrics()
            .filter(|metric| metric.name == name)
            .flat_map(numbers)
            .filter(|point| includes(&point.attributes, attributes))
            .filter_map(|point| match point.value? {
                number_data_point::Value::AsDouble(value) => Some(value),
                number_data_point::Value::AsInt(value) => Some(value as f64),
            })
            .collect()
    }

    /// All points of an exponential histogram whose attributes include `attributes`, added up.
    pub fn histogram(&self, name: &str, attributes: &[(&str, &str)]) -> Option<Histogram> {
        let points = self.histogram_points(name, attributes);
        let mut total = Histogram { min: f64::INFINITY, ..Histogram::default() };
        for point in &points {
            total.count += point.count;
            total.sum += point.sum.unwrap_or_default();
            total.min = total.min.min(point.min.unwrap_or(f64::INFINITY));
            total.max = total.max.max(point.max.unwrap_or_default());
        }
        (!points.is_empty()).then_some(total)
    }

    /// The points of an exponential histogram whose attributes include `attributes`, in order of arrival.
    pub fn histogram_points(&self, name: &str, attributes: &[(&str, &str)]) -> Vec<&ExponentialHistogramDataPoint> {
        self.all_metrics()
            .filter(|metric| metric.name == name)
            .flat_map(histograms)
            .filter(|point| includes(&point.attributes, attributes))
            .collect()
    }

    /// Log records, in order of arrival.
    pub fn events(&self) -> Vec<LoggedEvent> {
        self.log_records().map(logged).collect()
    }

    /// Log records with that event name, in order of arrival.
    pub fn events_named(&self, name: &str) -> Vec<LoggedEvent> {
        self.log_records().filter(|record| record.event_name == name).map(logged).collect()
    }

    /// Attributes of the last resource that reported, values as text.
    pub fn resource(&self) -> BTreeMap<String, String> {
        let metrics = self.metrics.iter().flat_map(|request| &request.resource_metrics);
        let logs = self.logs.iter().flat_map(|request| &request.resource_logs);
        let resources = metrics.map(|it| &it.resource).chain(logs.map(|it| &it.resource));
        let last: Option<&Resource> = resources.flatten().last();
        last.map(|resource| texts(&resource.attributes)).unwrap_or_default()
    }

    /// One line for people.
    pub fn summary(&self) -> String {
        format!(
            "{} connections, {} requests, {} points, {} log records, malformed {:?}, failed handshakes {:?}",
            self.connections,
            self.requests,
            self.data_points(),
            self.log_records().count(),
            self.malformed,
            self.failed_handshakes
        )
    }

    fn all_metrics(&self) -> impl Iterator<Item = &Metric> {
        self.metrics
            .iter()
            .flat_map(|request| &request.resource_metrics)
            .flat_map(|resource| &resource.scope_metrics)
            .flat_map(|scope| &scope.metrics)
    }

    fn log_records(&self) -> impl Iterator<Item = &LogRecord> {
        self.logs
            .iter()
            .flat_map(|request| &request.resource_logs)
            .flat_map(|resource| &resource.scope_logs)
            .flat_map(|scope| &scope.log_records)
    }
}

impl Histogram {
    /// Mean of the values.
    pub fn mean(&self) -> f64 {
        self.sum / self.count as f64
    }
}

/// The value below which a share `quantile` of one point lies: the upper bound of its bucket.
pub fn quantile(point: &ExponentialHistogramDataPoint, quantile: f64) -> Option<f64> {
    let base = 2f64.powf(2f64.powi(-point.scale));
    let rank = quantile * point.count as f64;
    let mut seen = point.zero_count as f64;
    if seen > 0.0 && seen >= rank {
        return Some(0.0);
    }
    let Buckets { offset, bucket_counts } = point.positive.as_ref()?;
    for (position, &count) in (0i32..).zip(bucket_counts) {
        seen += count as f64;
        if seen >= rank {
            return Some(base.powi(offset + position + 1));
        }
    }
    None
}

fn numbers(metric: &Metric) -> &[NumberDataPoint] {
    match &metric.data {
        Some(Data::Gauge(gauge)) => &gauge.data_points,
        Some(Data::Sum(sum)) => &sum.data_points,
        _ => &[],
    }
}

fn histograms(metric: &Metric) -> &[ExponentialHistogramDataPoint] {
    match &metric.data {
        Some(Data::ExponentialHistogram(histogram)) => &histogram.data_points,
        _ => &[],
    }
}

fn includes(all: &[KeyValue], wanted: &[(&str, &str)]) -> bool {
    wanted.iter().all(|(key, value)| all.iter().any(|it| it.key == *key && text(it.value.as_ref()) == *value))
}

fn logged(record: &LogRecord) -> LoggedEvent {
    LoggedEvent {
        name: record.event_name.clone(),
        severity: record.severity_text.clone(),
        severity_number: record.severity_number,
        body: text(record.body.as_ref()),
        attributes: texts(&record.attributes),
        time_unix_nano: record.time_unix_nano,
    }
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    attributes.iter().map(|it| (it.key.clone(), text(it.value.as_ref()))).collect()
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        None => String::new(),
        Some(any_value::Value::StringValue(text)) => text.clone(),
        Some(any_value::Value::BoolValue(value)) => value.to_string(),
        Some(any_value::Value::IntValue(value)) => value.to_string(),
        Some(any_value::Value::DoubleValue(value)) => value.to_string(),
        Some(other) => format!("{other:?}"),
    }
}
