//! What of a request is without effect.

use crate::prepare::Prepared;
use crate::prepare::item::Item;
use crate::request::Codecs;

impl Prepared {
    /// What is asked and is for nothing, one line each.
    pub fn unused(&self) -> Vec<String> {
        // Who made the plan was told.
        if self.items.iter().any(Item::is_planned) {
            return Vec::new();
        }
        let request = &self.request;
        let changed = |item: &&Item| item.is_asked() || request.recodes(item.path());
        let is_changed = |name: &str| self.items.iter().filter(changed).any(|item| item.path() == name);
        let selected = request.arrays.iter().filter(|name| !is_changed(name));
        let selected =
            selected.map(|name| format!("{name}: it has not the dimensions of what is asked of arrays"));
        let encoded = self.items.iter().filter(changed).any(|item| item.opaque.is_none());
        let codecs = (request.codecs != Codecs::Keep && !encoded)
            .then(|| format!("no array gets the codecs {}", request.codecs));
        let temp = request.temp.as_ref().filter(|_| !self.spills());
        let temp = temp.map(|temp| format!("{temp} stays unused: nothing goes through an intermediate"));
        self.noted.unused.iter().cloned().chain(selected).chain(codecs).chain(temp).collect()
    }
}
