//! From the options that `rechunk` and `plan` share to a job.

use zarrange_plan::{Costs, Limits, StoreProfile};
use zarrange_rechunk::{Durability, Foreign, Job, MixRequest, Verify};

use crate::args::{DurabilityArg, ForeignArg, JobArgs, Place, ProfileArg, VerifyArg};
use crate::backend::opener;
use crate::memory;

impl JobArgs {
    /// The job that is asked for; memory and threads are those of this machine where they are not given.
    pub(crate) fn into_job(self) -> anyhow::Result<Job> {
        let costs = costs(&self.profile);
        let limits = limits(&costs.target, self.chunk_bytes, self.max_files);
        Ok(Job {
            source: self.src,
            target: self.dst,
            chunks: self.chunks,
            shards: self.shards,
            mix: self.mix.map(|mix| MixRequest { mix, limits }),
            arrays: self.array,
            only_named: self.only_named,
            codecs: self.codecs,
            key_separator: self.key_separator,
            memory_bytes_max: self.max_mem.unwrap_or_else(memory::default_max),
            threads: self.threads.unwrap_or_else(memory::threads),
            temp: self.temp,
            verify: match self.verify {
                VerifyArg::None => Verify::None,
                VerifyArg::Sample => Verify::Sample,
                VerifyArg::Full => Verify::Full,
            },
            durability: match self.durability {
                DurabilityArg::None => Durability::None,
                DurabilityArg::Commit => Durability::Commit,
            },
            overwrite: self.overwrite,
            skip: self.skip.iter().map(|name| name.trim_matches('/').to_owned()).collect(),
            foreign: match self.foreign {
                ForeignArg::Skip => Foreign::Skip,
                ForeignArg::Copy => Foreign::Copy,
                ForeignArg::Fail => Foreign::Fail,
            },
            io: opener(self.io)?,
            costs,
            way: self.way,
        })
    }
}

/// What layouts that are chosen for reading at `place` may be; a chunk size that is given is kept.
fn limits(place: &StoreProfile, chunk_bytes: Option<u64>, objects_max: Option<u64>) -> Limits {
    /// Decoding is reading, too: zstd, as most arrays have it.
    const DECODE_NS_PER_BYTE: f64 = 1.6;
    let default = Limits::of(place.read_request_ns, place.read_ns_per_byte + DECODE_NS_PER_BYTE);
    Limits {
        chunk_bytes: chunk_bytes.unwrap_or(default.chunk_bytes),
        chunk_bytes_max: chunk_bytes.unwrap_or(default.chunk_bytes_max),
        objects_max: objects_max.unwrap_or(default.objects_max),
        ..default
    }
}

/// What the places cost, as asked for.
fn costs(profiles: &[ProfileArg]) -> Costs {
    let mut costs = Costs::default();
    for ProfileArg { place, profile } in profiles {
        let places = [
            (Place::Source, &mut costs.source),
            (Place::Target, &mut costs.target),
            (Place::Temp, &mut costs.spill),
        ];
        for (_, cost) in places.into_iter().filter(|(p, _)| place.is_none_or(|place| place == *p)) {
            cost.clone_from(profile);
        }
    }
    costs
}
