//! From the options that `rechunk` and `plan` share to a request.

use zarrange_io::Location;
use zarrange_plan::{Costs, Limits};
use zarrange_rechunk::{MixRequest, Request};

use crate::args::{Place, ProfileArg, RequestArgs};
use crate::backend::opener;
use crate::{kept, memory};

impl RequestArgs {
    /// The request that is asked for; memory and threads are those of this machine where they are not given.
    pub(crate) fn into_request(self, src: Location, dst: Location) -> anyhow::Result<Request> {
        let costs = costs(&self.profile, [&src, &dst, self.temp.as_ref().unwrap_or(&dst)]);
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
            ..Request::new(src, dst)
        })
    }
}

/// What source, target and intermediates cost: as asked for, else as probed, else as built in.
fn costs(profiles: &[ProfileArg], places: [&Location; 3]) -> Costs {
    let mut costs = Costs::default();
    let of = [
        (Place::Source, &mut costs.source),
        (Place::Target, &mut costs.target),
        (Place::Temp, &mut costs.spill),
    ];
    for ((place, cost), location) in of.into_iter().zip(places) {
        let asked = profiles.iter().rfind(|asked| asked.place.is_none_or(|of| of == place));
        if let Some(profile) = asked.map(|asked| asked.profile.clone()).or_else(|| kept::of(location)) {
            *cost = profile;
        }
    }
    costs
}
