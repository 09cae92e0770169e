//! When operations begin, and how long they take.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2Serializer};

use crate::sweep::record::Latency;

/// Latencies are kept to three digits, up to an hour.
const HOUR_NS: u64 = 3_600_000_000_000;

/// Lets operations begin when they should, and keeps how long after that they ended: one that waits for the one before has its own
/// waiting counted (no coordinated omission).
#[derive(Debug)]
pub struct Recorder {
    begin: Instant,
    /// When the current operation should have begun.
    intended: Duration,
    /// Between operations; `None`: one begins when the one before has ended.
    interval: Option<Duration>,
    histogram: Histogram<u64>,
}

impl Recorder {
    /// For operations that begin `rate` times a second, or one after the other. The clock runs from now.
    ///
    /// # Errors
    /// If the histogram cannot be made.
    pub fn new(rate: Option<f64>) -> anyhow::Result<Self> {
        let histogram = empty()?;
        let interval = rate.map(|rate| Duration::from_secs_f64(1.0 / rate));
        Ok(Self { begin: Instant::now(), intended: Duration::ZERO, interval, histogram })
    }

    /// Time since the first operation.
    pub fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Waits until the next operation shall begin.
    pub fn wait(&mut self) {
        match self.interval {
            Some(_) => std::thread::sleep(self.intended.saturating_sub(self.elapsed())),
            None => self.intended = self.elapsed(),
        }
    }

    /// The operation has ended.
    ///
    /// # Errors
    /// If its time does not fit the histogram.
    pub fn done(&mut self) -> anyhow::Result<()> {
        let took = self.elapsed().saturating_sub(self.intended);
        record(&mut self.histogram, took)?;
        self.intended += self.interval.unwrap_or_default();
        Ok(())
    }

    /// The distribution, as it is kept.
    ///
    /// # Errors
    /// If it cannot be serialised.
    pub fn latency(&self) -> anyhow::Result<Latency> {
        kept(&self.histogram)
    }
}

/// The distribution of times that somebody else took.
///
/// # Errors
/// If they do not fit a histogram, or it cannot be serialised.
pub fn latency_of(times: impl IntoIterator<Item = Duration>) -> anyhow::Result<Latency> {
    let mut histogram = empty()?;
    for time in times {
        record(&mut histogram, time)?;
    }
    kept(&histogram)
}

fn empty() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, HOUR_NS, 3)?)
}

fn record(histogram: &mut Histogram<u64>, time: Duration) -> anyhow::Result<()> {
    Ok(histogram.record(u64::try_from(time.as_nanos()).unwrap_or(HOUR_NS).clamp(1, HOUR_NS))?)
}

#[expect(clippy::cast_precision_loss, reason = "microseconds")]
fn kept(histogram: &Histogram<u64>) -> anyhow::Result<Latency> {
    let mut bytes = Vec::new();
    V2Serializer::new().serialize(histogram, &mut bytes).context("serialise the histogram")?;
    let microseconds = |ns: u64| ns as f64 / 1e3;
    let at = |quantile: f64| microseconds(histogram.value_at_quantile(quantile));
    Ok(Latency {
        histogram: base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes),
        count: histogram.len(),
        p50_us: at(0.5),
        p90_us: at(0.9),
        p99_us: at(0.99),
        max_us: microseconds(histogram.max()),
    })
}
