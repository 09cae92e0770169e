//! An array that is not there yet, to plan for.

use anyhow::Context as _;
use serde_json::{Map, json};
use zarrange_array::{Array, ArraySpec, Document, Layout};
use zarrange_io::Location;
use zarrange_rechunk::Codecs;

use crate::advise::ask::{data_type, shape, usage};

/// What is planned for instead of SRC and DST.
#[derive(Debug, clap::Args)]
pub(crate) struct ImaginedArgs {
    /// Plan for an array that is not there yet, instead of SRC: its elements in each dimension
    #[arg(long, value_name = "N,N...", requires_all = ["dtype", "from"], conflicts_with_all = ["out", "src", "dst"])]
    shape: Option<String>,
    /// With --shape: its data type, such as f4 or float32
    #[arg(long, requires = "shape")]
    dtype: Option<String>,
    /// With --shape: its chunks, as it will be written
    #[arg(long, value_name = "N,N...", requires = "shape")]
    from: Option<String>,
    /// With --shape: its shards, if it will have any
    #[arg(long, value_name = "N,N...", requires = "shape")]
    from_shards: Option<String>,
    /// With --shape: its codecs
    #[arg(long, value_name = "CODECS", requires = "shape", default_value = "zstd:3")]
    from_codecs: Codecs,
    /// With --shape: names of its dimensions, such as object,epoch; those without have numbers
    #[arg(long, value_name = "NAME,...", requires = "shape", value_delimiter = ',')]
    names: Vec<String>,
}

impl ImaginedArgs {
    /// Makes the array, without a chunk, in the memory of this process; where it is, and where its copy would be. `None` if none is asked for.
    pub(crate) fn made(&self) -> anyhow::Result<Option<(Location, Location)>> {
        let Some(of) = &self.shape else { return Ok(None) };
        let lengths = shape("--shape", of)?;
        let (name, item_bytes) = data_type(self.dtype.as_deref().context("--dtype is needed")?)?;
        let chunk = shape("--from", self.from.as_deref().context("--from is needed")?)?;
        let shard = self.from_shards.as_deref().map(|text| shape("--from-shards", text)).transpose()?;
        let rank = lengths.len();
        if chunk.len() != rank || shard.as_ref().is_some_and(|shard| shard.len() != rank) {
            return Err(usage(format!(
                "--from and --from-shards have a length for each of the {rank} dimensions of --shape"
            )));
        }
        if !self.names.is_empty() && self.names.len() != rank {
            return Err(usage(format!("--names has a name for each of the {rank} dimensions of --shape")));
        }
        let now = Layout { chunk: chunk.clone(), shard: None, codecs: Vec::new() };
        let codecs = self.from_codecs.resolve(&now, usize::try_from(item_bytes)?);
        let document = Document::new(&ArraySpec {
            shape: lengths,
            data_type: name,
            fill_value: if name.starts_with("complex") {
                json!([0.0, 0.0])
            } else if name == "bool" {
                json!(false)
            } else {
                json!(0)
            },
            layout: Layout { chunk, shard, codecs },
            dimension_names: self.names.iter().map(String::as_str).collect(),
            attributes: Map::new(),
        });
        let (source, target) =
            (Location::Memory("imagined/source".to_owned()), Location::Memory("imagined/target".to_owned()));
        let array =
            Array::new(source.open()?, document, 3).context("the array of --shape, --dtype and --from")?;
        array.write_metadata()?;
        Ok(Some((source, target)))
    }
}
