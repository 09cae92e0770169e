//! From the options that `rechunk` and `plan` share to a request.

use zarrange_plan::{Costs, Limits};
use zarrange_rechunk::{MixRequest, Request};

use crate::args::{Place, ProfileArg, RequestArgs};
use crate::backend::opener;
use crate::memory;

impl RequestArgs {
    /// The request that is asked for; memory and threads are those of this machine where they are not given.
    pub(crate) fn into_request(self) -> anyhow::Result<Request> {
        let costs = costs(&self.profile);
        let default = Limits::default();
        let limits = Limits {
            files_max: self.max_files.unwrap_or(default.files_max),
            chunk_bytes_max: self.chunk_bytes.map_or(default.chunk_bytes_max, u64::from),
            ..default
        };
        Ok(Request {
            chunks: self.chunks,
            shards: self.shards,
            mix: self.mix.map(|mix| MixRequest {
                mix: mix.fixing(self.fix.unwrap_or_default()),
                reader: self.reader,
                limits,
            }),
            arrays: self.array,
            only_named: self.only_named,
            codecs: self.codecs,
            key_separator: self.key_separator,
            memory_bytes_max: self.max_mem.map_or_else(memory::default_max, u64::from),
            threads: self.threads.unwrap_or_else(memory::threads),
            temp: self.temp,
            verify: self.verify,
            durability: self.durability,
            overwrite: self.overwrite,
            skip: self.skip.iter().map(|name| name.trim_matches('/').to_owned()).collect(),
            foreign: self.foreign,
            io: opener(self.io)?,
            costs,
            way: self.way,
            ..Request::new(self.src, self.dst)
        })
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
