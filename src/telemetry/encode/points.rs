//! Points and the metrics that hold them.

use super::super::{
    histogram::Histogram,
    proto::{
        AggregationTemporality, Buckets, Data, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, KeyValue,
        Metric, Number, NumberDataPoint, Sum,
    },
    vocabulary::{Instrument, Kind},
};

/// Start and end of what the points of a report stand for, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Start of the agent: of cumulative sums.
    pub started: u64,
    /// Start of the interval: of deltas.
    pub from: u64,
    /// Now.
    pub to: u64,
}

/// Metrics under construction, with the number of points in them.
#[derive(Debug)]
pub struct Metrics {
    times: Times,
    done: Vec<Metric>,
    points: u64,
}

impl Metrics {
    pub fn new(times: Times) -> Self {
        Self { times, done: Vec::new(), points: 0 }
    }

    /// The metrics and the number of their points.
    pub fn finish(self) -> (Vec<Metric>, u64) {
        (self.done, self.points)
    }

    /// Adds a metric of numbers, unless there is nothing to tell.
    pub fn numbers(&mut self, instrument: Instrument, values: impl IntoIterator<Item = (Vec<KeyValue>, Number)>) {
        let start = match instrument.kind {
            Kind::Gauge => 0,
            Kind::UpDownCounter | Kind::Counter => self.times.started,
            Kind::DeltaCounter | Kind::DeltaHistogram => self.times.from,
        };
        let data_points: Vec<NumberDataPoint> = values
            .into_iter()
            .map(|(attributes, value)| NumberDataPoint {
                attributes,
                start_time_unix_nano: start,
                time_unix_nano: self.times.to,
                value: Some(value),
            })
            .collect();
        let count = data_points.len();
        self.add(instrument, count, numbers(instrument.kind, data_points));
    }

    /// Adds a metric of distributions, unless there is nothing to tell.
    pub fn histograms<'a>(
        &mut self,
        instrument: Instrument,
        values: impl IntoIterator<Item = (Vec<KeyValue>, &'a Histogram)>,
    ) {
        let data_points: Vec<_> =
            values.into_iter().map(|(attributes, histogram)| self.distribution(attributes, histogram)).collect();
        let count = data_points.len();
        let aggregation_temporality = AggregationTemporality::Delta.into();
        let data = Data::ExponentialHistogram(ExponentialHistogram { data_points, aggregation_temporality });
        self.add(instrument, count, data);
    }

    fn distribution(&self, attributes: Vec<KeyValue>, histogram: &Histogram) -> ExponentialHistogramDataPoint {
        let (offset, bucket_counts) = histogram.dense();
        ExponentialHistogramDataPoint {
            attributes,
            start_time_unix_nano: self.times.from,
            time_unix_nano: self.times.to,
            count: histogram.count(),
            sum: Some(histogram.sum()),
            scale: histogram.scale(),
            zero_count: histogram.zeros(),
            positive: Some(Buckets { offset, bucket_counts }),
            min: histogram.min(),
            max: histogram.max(),
        }
    }

    fn add(&mut self, instrument: Instrument, points: usize, data: Data) {
        if points > 0 {
            let Instrument { name, unit, .. } = instrument;
            self.done.push(Metric { name: name.to_owned(), unit: unit.to_owned(), data: Some(data) });
            self.points += points as u64;
        }
    }
}

fn numbers(kind: Kind, data_points: Vec<NumberDataPoint>) -> Data {
    let (temporality, is_monotonic) = match kind {
        Kind::Gauge => return Data::Gauge(Gauge { data_points }),
        Kind::UpDownCounter => (AggregationTemporality::Cumulative, false),
        Kind::Counter => (AggregationTemporality::Cumulative, true),
        Kind::DeltaCounter | Kind::DeltaHistogram => (AggregationTemporality::Delta, true),
    };
    Data::Sum(Sum { data_points, aggregation_temporality: temporality.into(), is_monotonic })
}

/// A count as OTLP carries it.
pub fn whole(value: impl TryInto<i64>) -> Number {
    Number::Int(value.try_into().unwrap_or(i64::MAX))
}
