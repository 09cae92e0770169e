//! Workers that a plan is tried on, understood from text.

use std::str::FromStr;

use zarrange_plan::{Cluster, Prices, StoreProfile};

use super::Bytes;
use crate::error::SpecError;

/// Workers and their store: as text `workers=1000,store=s3`, and whatever of the following is other than in a perfect world: `startup=30`
/// (seconds, in each stage), `failures=0.01` (share of parts), `stragglers=0.02x5` (share, and how many times longer), `bandwidth=100GB` and `requests=5000` (of the
/// store, a second), `read-price=0.0004` and `write-price=0.005` (of a thousand requests), `hour-price=0.2` (of a worker).
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterSpec {
    /// The numbers.
    pub cluster: Cluster,
    /// What the places cost, if the store is named.
    pub profile: Option<StoreProfile>,
}

/// Stores that people name, the profile of each, and its public prices: of Amazon S3 Standard in us-east-1, in dollars
/// (<https://aws.amazon.com/s3/pricing/>, 2026).
const STORES: [(&str, &str, Prices); 1] =
    [("s3", "object", Prices { thousand_reads: 0.0004, thousand_writes: 0.005, worker_hour: 0.0 })];

impl FromStr for ClusterSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let wrong = |reason: String| SpecError::Cluster { given: text.to_owned(), reason };
        let mut spec = Self { cluster: Cluster::new(0), profile: None };
        let mut pairs = Vec::new();
        for pair in text.split(',') {
            let (name, value) =
                pair.split_once('=').ok_or_else(|| wrong(format!("{pair:?} is no NAME=VALUE")))?;
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(wrong(format!("{name} is there twice")));
            }
            pairs.push((name, value));
        }
        // Prices of a store are only what is not said otherwise.
        pairs.sort_by_key(|(name, _)| *name != "store");
        for (name, value) in pairs {
            spec.set(name, value).map_err(wrong)?;
        }
        if spec.cluster.workers == 0 {
            return Err(wrong("workers=N is missing".to_owned()));
        }
        Ok(spec)
    }
}

impl ClusterSpec {
    #[expect(clippy::cast_precision_loss, reason = "a bandwidth")]
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let wrong = |what: &str| format!("{name}={value} is no {what}");
        let number = |least: f64, most: f64| {
            let number = value.parse::<f64>().ok().filter(|number| (least..=most).contains(number));
            number.ok_or_else(|| wrong(&format!("number from {least} to {most}")))
        };
        let cluster = &mut self.cluster;
        match name {
            "workers" => {
                let workers =
                    value.parse().ok().filter(|workers| (1..=Cluster::WORKERS_MAX).contains(workers));
                cluster.workers = workers
                    .ok_or_else(|| wrong(&format!("number of workers from 1 to {}", Cluster::WORKERS_MAX)))?;
            }
            "store" => {
                let known = STORES.iter().find(|(known, ..)| *known == value);
                let profile = known.map_or(value, |(_, profile, _)| *profile);
                let names = || STORES.iter().map(|(name, ..)| *name).chain(StoreProfile::names());
                let profile = StoreProfile::built_in(profile)
                    .ok_or_else(|| wrong(&format!("store: {}", names().collect::<Vec<_>>().join(", "))))?;
                self.profile = Some(profile);
                cluster.prices = known.map_or(cluster.prices, |(.., prices)| *prices);
            }
            "startup" => cluster.startup_s = number(0.0, 1e6)?,
            "failures" => cluster.failures = number(0.0, 0.9)?,
            "stragglers" => {
                let pair = value.split_once('x').and_then(|(share, times)| {
                    let (share, times): (f64, f64) = (share.parse().ok()?, times.parse().ok()?);
                    ((0.0..=1.0).contains(&share) && (1.0..=1e6).contains(&times)).then_some((share, times))
                });
                cluster.stragglers = pair.ok_or_else(|| wrong("SHARExTIMES, such as 0.02x5"))?;
            }
            "bandwidth" => {
                let bytes: Bytes = value.parse().map_err(|error: SpecError| error.to_string())?;
                cluster.bytes_per_second = u64::from(bytes) as f64;
            }
            "requests" => cluster.requests_per_second = number(1e-3, 1e12)?,
            "read-price" => cluster.prices.thousand_reads = number(0.0, 1e6)?,
            "write-price" => cluster.prices.thousand_writes = number(0.0, 1e6)?,
            "hour-price" => cluster.prices.worker_hour = number(0.0, 1e6)?,
            _ => {
                return Err(format!(
                    "{name} is none of workers, store, startup, failures, stragglers, bandwidth, requests, read-price, write-price, hour-price"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_cluster() {
        let spec: ClusterSpec =
            "write-price=0.01,workers=1000,store=s3,startup=30,failures=0.01,stragglers=0.02x5,bandwidth=100GB"
                .parse()
                .unwrap();
        let prices = Prices { thousand_reads: 0.0004, thousand_writes: 0.01, worker_hour: 0.0 };
        let cluster = Cluster {
            workers: 1000,
            startup_s: 30.0,
            bytes_per_second: 1e11,
            requests_per_second: f64::INFINITY,
            failures: 0.01,
            stragglers: (0.02, 5.0),
            prices,
        };
        assert_eq!(spec, ClusterSpec { cluster, profile: StoreProfile::built_in("object") });
        let check = |text: &str, expected: &str| {
            let error = text.parse::<ClusterSpec>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        };
        check("", "no NAME=VALUE");
        check("store=s3", "workers=N is missing");
        check("workers=0", "number of workers from 1");
        check("workers=5,workers=6", "workers is there twice");
        check("workers=5,store=tape", "store=tape is no store: s3, memory");
        check("workers=5,failures=1", "number from 0 to 0.9");
        check("workers=5,failures=nan", "number from 0 to 0.9");
        check("workers=5,stragglers=2", "SHARExTIMES");
        check("workers=5,bandwidth=fast", "is not a size");
        check("workers=5,threads=2", "threads is none of workers");
    }
}
