//! What a run uses, for those who want to know.

use zarrange_array::{Array, ArrayMetadata, Contents};

use crate::error::RechunkError;
use crate::prepare::Prepared;
use crate::prepare::item::{Item, Opened};

impl Prepared {
    /// What is used, one line each: members and their metadata, what reads them, and of arrays that are not only copied their types,
    /// codecs and keys.
    ///
    /// # Errors
    /// If an array cannot be opened any more.
    pub fn details(&self) -> Result<Vec<String>, RechunkError> {
        let (groups, arrays) = (self.groups.len(), self.items.len());
        let copied = self.items.iter().filter(|item| item.is_copy()).count();
        let consolidated = if self.consolidated { ", with consolidated metadata at the root" } else { "" };
        let mut lines = vec![format!(
            "{}: groups: {groups}, arrays: {arrays} ({copied} only copied){consolidated}, read by {}",
            self.request.source,
            self.root.backend()
        )];
        for item in self.items.iter().filter(|item| !item.is_copy()) {
            lines.push(self.detail(item)?);
        }
        Ok(lines)
    }

    fn detail(&self, item: &Item) -> Result<String, RechunkError> {
        let Opened { source, target } = item.open(&self.request, &self.root)?;
        let source: &Array = &source;
        let data_type = source.document().get("data_type");
        let (from, to) = (codecs(source), codecs(&target));
        let codecs = if from == to { format!("codecs {from}") } else { format!("codecs {from} become {to}") };
        Ok(format!(
            "{}: {} of Zarr v{}, {codecs}; keys such as {} become {}",
            if item.path().is_empty() { "/" } else { item.path() },
            data_type.as_str().map_or_else(|| data_type.to_string(), str::to_owned),
            source.zarr_format(),
            source.key(&vec![0; source.shape().len()]),
            target.key(&vec![0; target.shape().len()]),
        ))
    }
}

fn codecs(array: &ArrayMetadata) -> String {
    let codecs = match array.contents() {
        Contents::Elements(elements) => &elements.layout.codecs,
        Contents::Variable(elements) => &elements.layout.codecs,
        Contents::Unknown(_) => return "that are not known".to_owned(),
    };
    let each = codecs.iter().map(|codec| codec.to_string().trim_end_matches(" {}").to_owned());
    each.collect::<Vec<_>>().join(" ")
}
