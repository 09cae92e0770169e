//! From the options that `rechunk` and `plan` share to a request.

use anyhow::bail;
use zarrange_array::Layout;
use zarrange_io::Location;
use zarrange_plan::{Costs, Decodes, Limits};
use zarrange_rechunk::{Codecs, MixRequest, NamedRegion, Request};

use crate::advise::ask::usage;
use crate::args::{Place, ProfileArg, RequestArgs};
use crate::backend::opener;
use crate::{kept, memory};

impl RequestArgs {
    /// The request that is asked for, of a region if one is named; memory and threads are those of this machine where they are not given, and
    /// places cost what was kept of them if it `keeps` to that.
    ///
    /// # Errors
    /// If options of it say nothing beside the others, or contradict each other.
    pub(crate) fn into_request(
        self,
        src: Location,
        dst: Location,
        region: Option<NamedRegion>,
        keeps: bool,
    ) -> anyhow::Result<Request> {
        self.check(region.is_some())?;
        self.check_reader()?;
        let costs = costs(&self.profile, [&src, &dst, self.temp.as_ref().unwrap_or(&dst)], keeps)?;
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
            region,
            ..Request::new(src, dst)
        })
    }
}

impl RequestArgs {
    /// Who is said to read has to decode what is asked for.
    fn check_reader(&self) -> anyhow::Result<()> {
        let now = Layout { chunk: vec![1], shard: None, codecs: Vec::new() };
        let codecs = self.codecs.resolve(&now, 1);
        let unknown = codecs.iter().find(|codec| self.reader.decodes(codec.name()) == Decodes::No);
        match unknown.filter(|_| self.mix.is_some()) {
            None => Ok(()),
            Some(codec) => bail!(usage(format!(
                "--codecs {}: {} does not decode {}: name another codec, such as zstd:3, or another --reader",
                self.codecs,
                self.reader,
                codec.name()
            ))),
        }
    }

    /// Options that choose among arrays need something that they choose for.
    fn check(&self, is_region: bool) -> anyhow::Result<()> {
        let specs = || self.chunks.iter().chain(&self.shards);
        let named = specs().next().is_some() || self.mix.is_some();
        let recoded = !named && self.codecs != Codecs::Keep;
        let general = specs().any(|spec| spec.array.is_none()) || self.mix.is_some() || recoded;
        if self.only_named && !named {
            bail!(usage(
                "--only-named leaves out every array without a SPEC or a MIX, and there is none: name arrays as with --chunks NAME:keep"
            ));
        }
        if !self.array.is_empty() && !general && !is_region {
            bail!(usage(
                "--array says which arrays a SPEC without ARRAY:, a MIX, --codecs or a region is for, and there is none: to copy these \
                 arrays alone, write --array NAME --chunks keep --only-named"
            ));
        }
        Ok(())
    }
}

/// What source, target and intermediates cost: as asked for, else as probed, else as built in. What is said of one place goes before what is said
/// of all.
fn costs(profiles: &[ProfileArg], locations: [&Location; 3], keeps: bool) -> anyhow::Result<Costs> {
    let of = |place: Option<Place>| {
        let mut given = profiles.iter().filter(|arg| arg.place == place).map(|arg| &arg.profile);
        let first = given.next();
        match given.next() {
            None => Ok(first),
            Some(_) => Err(usage("--profile says twice what one place costs: say it once")),
        }
    };
    let general = of(None)?;
    let mut costs = if keeps { kept::costs(locations) } else { Costs::default() };
    let places = [
        (of(Some(Place::Source))?, &mut costs.source),
        (of(Some(Place::Target))?, &mut costs.target),
        (of(Some(Place::Temp))?, &mut costs.spill),
    ];
    if let Some(general) = general.filter(|_| places.iter().all(|(own, _)| own.is_some())) {
        bail!(usage(format!("--profile {}: each place has a profile of its own", general.name)));
    }
    for (own, cost) in places {
        if let Some(profile) = own.or(general) {
            *cost = profile.clone();
        }
    }
    Ok(costs)
}
