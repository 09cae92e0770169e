//! What a plan takes on many workers: its parts, as events on a model of the workers and of the store that they share.
//!
//! A part takes on a worker what the plan's own costs say. The store carries so many bytes and answers so many requests a second for all workers together;
//! what exceeds that waits in line. Workers take the parts of a stage in their order, whoever is free; a stage begins when all of the one before is done.
#![expect(clippy::cast_precision_loss, reason = "costs are estimates")]

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde::Serialize;

use crate::cost::{Load, Model};
use crate::memory::BATCH_BYTES;
use crate::plan::{Plan, Repack, Route, Stage};
use crate::problem::Problem;
use crate::tiles::{count, overlaps_all};

/// Events of a stage at most: of more parts several are taken together.
const EVENTS_MAX: u64 = 200_000;

/// Workers and the store that they share. Times are in seconds, prices in one currency.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cluster {
    /// Workers, each a process with the memory and threads of the plan.
    pub workers: u64,
    /// Until a worker begins, in each stage.
    pub startup_s: f64,
    /// Bytes that the store reads and writes in a second for all together; infinite for no limit.
    pub bytes_per_second: f64,
    /// Requests that it answers in a second for all together; infinite for no limit.
    pub requests_per_second: f64,
    /// The share of parts that fail on their way, and are done again.
    pub failures: f64,
    /// The share of parts that take longer, and how many times longer.
    pub stragglers: (f64, f64),
    /// Of a thousand reads, of a thousand writes, of an hour of a worker.
    pub prices: Prices,
}

/// What is paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Prices {
    /// A thousand requests that read.
    pub thousand_reads: f64,
    /// A thousand requests that write.
    pub thousand_writes: f64,
    /// An hour of a worker.
    pub worker_hour: f64,
}

/// What all parts of a stage of an array take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct StageWork {
    /// Parts.
    pub parts: u64,
    /// Time of one worker that does all of them.
    pub seconds: f64,
    /// Of that, what its processors take if nothing else is waited for.
    pub cpu_seconds: f64,
    /// Requests that read, and that write.
    pub reads: u64,
    /// The same that write.
    pub writes: u64,
    /// Bytes read and written.
    pub bytes: u64,
}

/// What limits a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bottleneck {
    /// Nothing is to be done.
    Nothing,
    /// Processors of the workers: more workers, or faster ones, help.
    Processors,
    /// What a worker waits for when it reads and writes: more workers help.
    Waiting,
    /// Bytes that the store carries.
    Bandwidth,
    /// Requests that it answers.
    Requests,
    /// Workers without a part: fewer do as well, or smaller parts.
    Parts,
    /// The last parts: those that failed or take long.
    Last,
}

/// A stage on a cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SimulatedStage {
    /// Its parts.
    pub parts: u64,
    /// From its begin to its end.
    pub seconds: f64,
    /// The share of that time that workers had something to do.
    pub busy: f64,
    /// What limits it.
    pub bottleneck: Bottleneck,
}

/// A plan on a cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Simulated {
    /// From begin to end.
    pub seconds: f64,
    /// Each stage.
    pub stages: Vec<SimulatedStage>,
    /// Requests that read, those of parts that failed included.
    pub reads: u64,
    /// Requests that write.
    pub writes: u64,
    /// Bytes that were moved to and from the store.
    pub bytes: u64,
    /// Parts that failed.
    pub failed: u64,
    /// What is paid.
    pub money: f64,
}

impl Cluster {
    /// Workers at most: parts that are taken together are done one after the other, which more workers would not do.
    pub const WORKERS_MAX: u64 = EVENTS_MAX / 2;

    /// Workers in a perfect world: nothing fails, and nothing is limited or paid for.
    pub fn new(workers: u64) -> Self {
        Self {
            workers,
            startup_s: 0.0,
            bytes_per_second: f64::INFINITY,
            requests_per_second: f64::INFINITY,
            failures: 0.0,
            stragglers: (0.0, 1.0),
            prices: Prices::default(),
        }
    }
}

impl Bottleneck {
    /// In words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Nothing => "nothing is to be done",
            Self::Processors => "limited by the processors of the workers",
            Self::Waiting => "limited by what each worker waits for",
            Self::Bandwidth => "limited by the bandwidth of the store",
            Self::Requests => "limited by the requests that the store answers",
            Self::Parts => "too few parts for so many workers",
            Self::Last => "the last parts hold it up",
        }
    }
}

impl Plan {
    /// What each stage takes.
    pub fn stage_works(&self) -> Vec<StageWork> {
        let (problem, model) = (&self.problem, Model::new(&self.problem));
        let Problem { shape, source, target, .. } = problem;
        let (objects, stored) = (target.objects(shape), model.stored_bytes());
        let moved = |units: u64, threads: u64| {
            let seconds = model.move_stored(units);
            let cpu_seconds = 2.0 * stored.0 * problem.costs.kernel_ns_per_byte / 1e9 / threads as f64;
            let bytes = whole(stored.0 * 2.0);
            StageWork {
                parts: self.parts(0).count(),
                seconds,
                cpu_seconds,
                reads: units,
                writes: objects,
                bytes,
            }
        };
        match &self.route {
            Route::Copy => vec![moved(source.objects(shape), 1)],
            Route::Repack(Repack { threads, .. }) => vec![moved(count(shape, &source.chunk), *threads)],
            Route::Tiled(tiled) => {
                let work = |(k, stage)| self.tiled_work((k, stage), tiled.stages.len(), &model);
                tiled.stages.iter().enumerate().map(work).collect()
            }
        }
    }

    fn tiled_work(&self, (k, stage): (usize, &Stage), stages: usize, model: &Model<'_>) -> StageWork {
        let problem = &self.problem;
        let Problem { shape, source, target, .. } = problem;
        let (from_stored, to_stored) = model.stored_bytes();
        let array = model.array_bytes();
        let tile = &stage.tile;
        let ((fill, reads, read), (drain, writes, written));
        if k == 0 {
            let decodes = self.predicted.counts.source_chunk_decodes;
            let share = decodes as f64 / self.predicted.source_chunks.max(1) as f64;
            let io = model.waits_to_read(stage, decodes);
            fill = Load { io, ..model.read(decodes, count(tile, &source.chunk)) };
            (reads, read) = (model.read_requests(decodes), from_stored * share);
        } else {
            let spill = &self.spills()[k - 1];
            let tiles = count(shape, tile);
            let pieces = overlaps_all(shape, tile, &spill.written);
            let io = model.waits_to_read_back(stage, spill);
            fill = Load { io, ..model.read_back(pieces, tiles) };
            (reads, read) = (whole(spill.bytes as f64 / BATCH_BYTES as f64) + tiles, array);
        }
        if k + 1 == stages {
            drain = Load { io: model.waits_to_write(stage), ..model.write(count(tile, &target.chunk)) };
            (writes, written) = (target.objects(shape), to_stored);
        } else {
            let spill = &self.spills()[k];
            let pieces = overlaps_all(shape, &spill.read, tile);
            drain = Load { io: model.waits_to_spill(stage, spill), ..model.spill(pieces) };
            (writes, written) = (pieces, array);
        }
        let seconds = model.stage_seconds((tile, stage.threads, stage.slots), fill, drain);
        let Load { cpu: filled, .. } = fill;
        StageWork {
            parts: stage.parts(problem).count(),
            seconds,
            cpu_seconds: (filled + drain.cpu) / stage.threads as f64 / 1e9,
            reads,
            writes,
            bytes: whole(read + written),
        }
    }
}

/// Runs stages, each the works of several arrays, on a cluster. The same gives the same.
pub fn simulate(stages: &[Vec<StageWork>], cluster: &Cluster) -> Simulated {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let mut all =
        Simulated { seconds: 0.0, stages: Vec::new(), reads: 0, writes: 0, bytes: 0, failed: 0, money: 0.0 };
    let mut at = 0.0;
    for works in stages {
        at += cluster.startup_s;
        let mut line = Line { begin: at, cluster, bytes_free: at, requests_free: at, again: 0.0, failed: 0 };
        let (end, busy) = line.run(works, &mut chance);
        let sum = |field: fn(&StageWork) -> u64| works.iter().map(field).fold(0, u64::saturating_add);
        let parts = sum(|work| work.parts);
        let again = 1.0 + line.again / parts.max(1) as f64;
        let more = |requests: u64| whole(requests as f64 * again);
        all.reads = all.reads.saturating_add(more(sum(|work| work.reads)));
        all.writes = all.writes.saturating_add(more(sum(|work| work.writes)));
        all.bytes = all.bytes.saturating_add(more(sum(|work| work.bytes)));
        all.failed += line.failed;
        let seconds = end - at;
        let bottleneck = bottleneck(works, cluster, seconds);
        let busy = if seconds > 0.0 { busy / (seconds * cluster.workers as f64) } else { 0.0 };
        all.stages.push(SimulatedStage { parts, seconds, busy, bottleneck });
        at = end;
    }
    all.seconds = at;
    let Prices { thousand_reads, thousand_writes, worker_hour } = cluster.prices;
    all.money = all.reads as f64 / 1000.0 * thousand_reads
        + all.writes as f64 / 1000.0 * thousand_writes
        + cluster.workers as f64 * at / 3600.0 * worker_hour;
    all
}

/// What waits for the store, in a stage.
struct Line<'a> {
    begin: f64,
    cluster: &'a Cluster,
    /// When the store has carried, and answered, all that was asked for so far.
    bytes_free: f64,
    requests_free: f64,
    /// Parts that were done in vain, as a share of one each, and how many there were.
    again: f64,
    failed: u64,
}

impl Line<'_> {
    /// When all parts are done, and how long workers had something to do, in all.
    fn run(&mut self, works: &[StageWork], chance: &mut Chance) -> (f64, f64) {
        let workers = self.cluster.workers.clamp(1, Cluster::WORKERS_MAX);
        let mut free: BinaryHeap<Reverse<Time>> = (0..workers).map(|_| Reverse(Time(self.begin))).collect();
        let (mut end, mut busy) = (self.begin, 0.0);
        for work in works.iter().filter(|work| work.parts > 0) {
            let together = work.parts.div_ceil(EVENTS_MAX);
            let mut left = work.parts;
            while left > 0 {
                let parts = together.min(left);
                left -= parts;
                let Some(Reverse(Time(start))) = free.pop() else { break };
                let done = self.part(work, parts as f64 / work.parts as f64, start, chance);
                busy += done - start;
                end = end.max(done);
                free.push(Reverse(Time(done)));
            }
        }
        (end, busy)
    }

    /// When a share of the parts of a stage is done, by a worker that begins at `start`.
    fn part(&mut self, work: &StageWork, share: f64, start: f64, chance: &mut Chance) -> f64 {
        let Cluster { failures, stragglers: (slow, times), bytes_per_second, requests_per_second, .. } =
            self.cluster;
        let mut tries = 1.0;
        while chance.next() < *failures && tries < 10.0 {
            // Somewhere in between.
            tries += chance.next();
            self.failed += 1;
        }
        let slowed = if chance.next() < *slow { *times } else { 1.0 };
        self.again += (tries - 1.0) * share * work.parts as f64;
        let requests = work.reads.saturating_add(work.writes) as f64 * share * tries;
        let bytes = work.bytes as f64 * share * tries;
        self.bytes_free = self.bytes_free.max(start) + bytes / bytes_per_second;
        self.requests_free = self.requests_free.max(start) + requests / requests_per_second;
        let alone = start + work.seconds * share * tries * slowed;
        alone.max(self.bytes_free).max(self.requests_free)
    }
}

/// What limits a stage that took so many seconds.
fn bottleneck(works: &[StageWork], cluster: &Cluster, seconds: f64) -> Bottleneck {
    /// A limit that takes this share of the time is what it waits for.
    const MOST: f64 = 0.85;
    let parts = works.iter().map(|work| work.parts).fold(0, u64::saturating_add);
    let sum = |of: fn(&StageWork) -> f64| works.iter().map(of).sum::<f64>();
    if parts == 0 {
        return Bottleneck::Nothing;
    }
    let least = MOST * seconds;
    if sum(|work| work.bytes as f64) / cluster.bytes_per_second >= least {
        Bottleneck::Bandwidth
    } else if sum(|work| work.reads as f64 + work.writes as f64) / cluster.requests_per_second >= least {
        Bottleneck::Requests
    } else if parts < cluster.workers {
        Bottleneck::Parts
    } else if sum(|work| work.seconds) / cluster.workers as f64 <= 0.7 * seconds {
        Bottleneck::Last
    } else if sum(|work| work.cpu_seconds) >= 0.5 * sum(|work| work.seconds) {
        Bottleneck::Processors
    } else {
        Bottleneck::Waiting
    }
}

/// A time in a heap.
#[derive(Clone, Copy, PartialEq)]
struct Time(f64);

impl Eq for Time {}

impl PartialOrd for Time {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Time {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// Numbers from 0 to 1 that look random (`SplitMix64`, Steele and others, 2014), the same each time.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count, rounded; too large ones saturate"
)]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(workers: u64) -> Cluster {
        Cluster::new(workers)
    }

    fn work(parts: u64) -> StageWork {
        StageWork {
            parts,
            seconds: parts as f64,
            cpu_seconds: parts as f64,
            reads: 10 * parts,
            writes: parts,
            bytes: 1000 * parts,
        }
    }

    #[test]
    fn what_can_be_told_by_hand() {
        let check = |stages: &[Vec<StageWork>], cluster: &Cluster, seconds: f64, limits: &[Bottleneck]| {
            let simulated = simulate(stages, cluster);
            assert!((simulated.seconds - seconds).abs() < 1e-6 * seconds.max(1.0), "{simulated:?}");
            assert_eq!(
                simulated.stages.iter().map(|stage| stage.bottleneck).collect::<Vec<_>>(),
                limits,
                "{simulated:?}"
            );
        };
        check(&[vec![work(100)]], &cluster(10), 10.0, &[Bottleneck::Processors]);
        // The eleventh worker does not help: some do ten parts all the same.
        check(&[vec![work(100)]], &cluster(11), 10.0, &[Bottleneck::Processors]);
        check(
            &[vec![work(100)], vec![work(50)]],
            &cluster(10),
            15.0,
            &[Bottleneck::Processors, Bottleneck::Processors],
        );
        // Of several arrays, the parts of a stage are done together.
        check(&[vec![work(5), work(5)]], &cluster(10), 1.0, &[Bottleneck::Processors]);
        check(&[vec![work(3)]], &cluster(10), 1.0, &[Bottleneck::Parts]);
        check(&[vec![]], &cluster(10), 0.0, &[Bottleneck::Nothing]);
        check(
            &[vec![work(100)]],
            &Cluster { startup_s: 7.0, ..cluster(10) },
            17.0,
            &[Bottleneck::Processors],
        );
        // Workers begin anew in each stage.
        check(
            &[vec![work(100)], vec![work(50)]],
            &Cluster { startup_s: 7.0, ..cluster(10) },
            29.0,
            &[Bottleneck::Processors, Bottleneck::Processors],
        );
        check(
            &[vec![work(100)]],
            &Cluster { bytes_per_second: 5000.0, ..cluster(10) },
            20.0,
            &[Bottleneck::Bandwidth],
        );
        check(
            &[vec![work(100)]],
            &Cluster { requests_per_second: 11.0, ..cluster(10) },
            100.0,
            &[Bottleneck::Requests],
        );
        let waiting = StageWork { cpu_seconds: 1.0, ..work(100) };
        check(&[vec![waiting]], &cluster(10), 10.0, &[Bottleneck::Waiting]);
        check(
            &[vec![work(100)]],
            &Cluster { stragglers: (1.0, 3.0), ..cluster(10) },
            30.0,
            &[Bottleneck::Last],
        );
        // More parts than events.
        check(&[vec![work(1_000_000)]], &cluster(10), 100_000.0, &[Bottleneck::Processors]);
    }

    #[test]
    fn what_fails_costs() {
        let clean = simulate(&[vec![work(10_000)]], &cluster(100));
        let prices = Prices { thousand_reads: 1.0, thousand_writes: 10.0, worker_hour: 36.0 };
        let failing = Cluster { failures: 0.1, prices, ..cluster(100) };
        let failed = simulate(&[vec![work(10_000)]], &failing);
        assert!((900..1300).contains(&failed.failed), "{failed:?}");
        // On average, half of a part is lost, and a part may fail twice.
        let more = failed.reads as f64 / clean.reads as f64;
        assert!((1.04..1.07).contains(&more), "{more}");
        assert!(failed.seconds > clean.seconds);
        let money = failed.reads as f64 / 1e3 + failed.writes as f64 / 1e2 + failed.seconds;
        assert!((failed.money - money).abs() < 1e-6 * money, "{failed:?}");
        assert_eq!(failed, simulate(&[vec![work(10_000)]], &failing), "the same gives the same");
    }
}
