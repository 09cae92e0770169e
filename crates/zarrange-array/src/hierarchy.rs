//! Groups and what is in them.

use zarrange_io::Store;

use crate::ArrayError;
use crate::array::Array;
use crate::document::{
    CONSOLIDATED, Document, Watch, attributes, change_attributes, keep, keep_v2, read_object, read_text,
};
use crate::json::{Fields, Json, Member, Members, Text, shown, tree};

/// A group or an array.
#[derive(Debug)]
pub enum Node {
    /// A group.
    Group(Group),
    /// An array.
    Array(Box<Array>),
}

/// A Zarr group.
#[derive(Debug)]
pub struct Group {
    store: Store,
    members: Fields,
    consolidated: bool,
    zarr_format: u8,
    implicit: bool,
}

impl Group {
    /// The document of a new group.
    pub fn new(store: Store, attributes: impl Into<Json>) -> Self {
        Self::of(store, Text::from(&attributes.into()))
    }

    fn of(store: Store, attributes: Text) -> Self {
        let mut members = Fields::new();
        members.insert("zarr_format".to_owned(), Member::Tree(Json::integer(3)));
        members.insert("node_type".to_owned(), Member::Tree("group".into()));
        members.insert("attributes".to_owned(), Member::Text(attributes));
        Self { store, members, consolidated: false, zarr_format: 3, implicit: false }
    }

    /// A group that has no document of its own: a directory above others that have.
    pub(crate) fn implicit(store: Store) -> Self {
        Self { implicit: true, ..Self::of(store, Text::empty()) }
    }

    /// Whether it has no document of its own: then its copy has none either, and readers see the same of both.
    pub const fn is_implicit(&self) -> bool {
        self.implicit
    }

    /// The same group with these user attributes.
    #[must_use]
    pub fn with_attributes(mut self, attributes: Text) -> Self {
        change_attributes(&mut self.members, |own| *own = attributes);
        self
    }

    /// The same group with an attribute of this value.
    #[must_use]
    pub fn with_attribute(mut self, name: &str, value: impl Into<Json>) -> Self {
        change_attributes(&mut self.members, |attributes| attributes.set(name, &value.into()));
        self
    }

    /// The same group without this attribute.
    #[must_use]
    pub fn without_attribute(mut self, name: &str) -> Self {
        change_attributes(&mut self.members, |attributes| attributes.remove(name));
        self
    }

    /// The store, rooted at the group.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The user attributes.
    pub fn attributes(&self) -> Text {
        attributes(&self.members)
    }

    /// Whether the metadata of everything below is repeated here.
    pub const fn is_consolidated(&self) -> bool {
        self.consolidated
    }

    /// The Zarr version it is stored in.
    pub const fn zarr_format(&self) -> u8 {
        self.zarr_format
    }

    /// The members of its v3 `zarr.json`, without consolidated metadata.
    pub const fn members(&self) -> &Fields {
        &self.members
    }
}

/// Opens the node at the root of `store`; v3 is preferred where both versions are stored.
///
/// # Errors
/// [`ArrayError::NotZarr`] if there is no metadata, or what is wrong with it.
pub fn open(store: &Store) -> Result<Node, ArrayError> {
    open_watched(store, &mut Watch::new())
}

/// As [`open`]; what was read is noted.
pub(crate) fn open_watched(store: &Store, watch: &mut Watch) -> Result<Node, ArrayError> {
    match documents(store, watch)? {
        Documents::None => Err(ArrayError::NotZarr { location: store.label().to_owned() }),
        Documents::Group(group) => Ok(Node::Group(group)),
        Documents::Array(array) => Ok(Node::Array(Box::new(array.open(store, watch)?))),
    }
}

/// The documents at a place, of which those of an array are not looked into yet.
pub(crate) enum Documents {
    None,
    Group(Group),
    Array(ArrayDocuments),
}

/// The documents of an array.
pub(crate) enum ArrayDocuments {
    V2(Fields),
    V3(Fields),
}

/// Reads the documents at the root of `store`.
pub(crate) fn documents(store: &Store, watch: &mut Watch) -> Result<Documents, ArrayError> {
    if let Some(members) = read_object(store, "zarr.json", watch, keep)? {
        return documents_v3(store, members);
    }
    if let Some(zarray) = read_object(store, ".zarray", watch, keep_v2)? {
        return Ok(Documents::Array(ArrayDocuments::V2(zarray)));
    }
    if read_text(store, ".zgroup", watch)?.is_some() {
        let mut group = Group::of(store.clone(), attributes_v2(store, watch)?);
        group.zarr_format = 2;
        // It repeats other documents: whether it is there is all that matters.
        group.consolidated = store.open(".zmetadata", zarrange_io::Access::Read)?.is_some();
        return Ok(Documents::Group(group));
    }
    Ok(Documents::None)
}

fn attributes_v2(store: &Store, watch: &mut Watch) -> Result<Text, ArrayError> {
    Ok(read_text(store, ".zattrs", watch)?.unwrap_or_else(Text::empty))
}

fn documents_v3(store: &Store, mut members: Fields) -> Result<Documents, ArrayError> {
    let wrong =
        |detail: String| ArrayError::Metadata { location: format!("{}/zarr.json", store.label()), detail };
    let version = tree(&members, "zarr_format");
    if *version != Json::integer(3) {
        return Err(wrong(format!("zarr_format is {version}, expected 3")));
    }
    if let Some(Member::Text(attributes)) = members.get("attributes")
        && !attributes.is_object()
    {
        let attributes = shown(attributes.as_str());
        return Err(wrong(format!("attributes is {attributes}, an object would be right")));
    }
    let node_type = tree(&members, "node_type");
    match node_type.as_str() {
        Some("array") => Ok(Documents::Array(ArrayDocuments::V3(members))),
        Some("group") => {
            let null = Member::Tree(Json::Null);
            let consolidated = members.shift_remove(CONSOLIDATED).is_some_and(|c| c != null);
            Ok(Documents::Group(Group {
                store: store.clone(),
                members,
                consolidated,
                zarr_format: 3,
                implicit: false,
            }))
        }
        _ => Err(wrong(format!("node_type is {node_type}, \"array\" or \"group\" would be right"))),
    }
}

impl ArrayDocuments {
    /// The array that they describe, at the root of `store`.
    pub(crate) fn open(self, store: &Store, watch: &mut Watch) -> Result<Array, ArrayError> {
        match self {
            Self::V3(members) => Array::new(store.clone(), Document::from_v3(members), 3),
            Self::V2(zarray) => {
                let location = format!("{}/.zarray", store.label());
                let wrong = |detail| ArrayError::Metadata { location, detail };
                let document = Document::from_v2(&zarray, attributes_v2(store, watch)?).map_err(wrong)?;
                Array::new(store.clone(), document, 2)
            }
        }
    }
}

impl From<Members> for Json {
    fn from(members: Members) -> Self {
        Self::Object(members)
    }
}
