//! Groups and what is in them.

use zarrange_io::Store;

use crate::ArrayError;
use crate::array::Array;
use crate::document::{Document, read_object, to_json};
use crate::json::{Json, Members};

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
    members: Members,
    consolidated: bool,
    zarr_format: u8,
    implicit: bool,
}

/// What may be of any size, and repeats the documents below.
const CONSOLIDATED: &str = "consolidated_metadata";

impl Group {
    /// The document of a new group.
    pub fn new(store: Store, attributes: impl Into<Json>) -> Self {
        let mut members = Members::new();
        members.insert("zarr_format".to_owned(), Json::integer(3));
        members.insert("node_type".to_owned(), "group".into());
        members.insert("attributes".to_owned(), attributes.into());
        Self { store, members, consolidated: false, zarr_format: 3, implicit: false }
    }

    /// A group that has no document of its own: a directory above others that have.
    pub(crate) fn implicit(store: Store) -> Self {
        Self { implicit: true, ..Self::new(store, Members::new()) }
    }

    /// Whether it has no document of its own: then its copy has none either, and readers see the same of both.
    pub const fn is_implicit(&self) -> bool {
        self.implicit
    }

    /// The store, rooted at the group.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The user attributes.
    pub fn attributes(&self) -> Members {
        self.members.get("attributes").and_then(Json::as_object).cloned().unwrap_or_default()
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
    pub const fn members(&self) -> &Members {
        &self.members
    }

    /// The bytes of its `zarr.json`; with `consolidated` it repeats those documents, by path.
    pub fn to_json(&self, consolidated: Option<&Members>) -> Vec<u8> {
        let mut members = self.members.clone();
        if let Some(below) = consolidated {
            let mut inline = Members::new();
            inline.insert("kind".to_owned(), "inline".into());
            inline.insert("must_understand".to_owned(), Json::Bool(false));
            inline.insert("metadata".to_owned(), Json::Object(below.clone()));
            members.insert(CONSOLIDATED.to_owned(), Json::Object(inline));
        }
        to_json(&members)
    }
}

/// Opens the node at the root of `store`; v3 is preferred where both versions are stored.
///
/// # Errors
/// [`ArrayError::NotZarr`] if there is no metadata, or what is wrong with it.
pub fn open(store: &Store) -> Result<Node, ArrayError> {
    match documents(store)? {
        Documents::None => Err(ArrayError::NotZarr { location: store.label().to_owned() }),
        Documents::Group(group) => Ok(Node::Group(group)),
        Documents::Array(array) => Ok(Node::Array(Box::new(array.open(store)?))),
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
    V2(Members),
    V3(Members),
}

/// Reads the documents at the root of `store`.
pub(crate) fn documents(store: &Store) -> Result<Documents, ArrayError> {
    if let Some(members) = read_object(store, "zarr.json", &[CONSOLIDATED])? {
        return documents_v3(store, members);
    }
    if let Some(zarray) = read_object(store, ".zarray", &[])? {
        return Ok(Documents::Array(ArrayDocuments::V2(zarray)));
    }
    if read_object(store, ".zgroup", &[])?.is_some() {
        let mut group = Group::new(store.clone(), attributes_v2(store)?);
        group.zarr_format = 2;
        // It repeats other documents: whether it is there is all that matters.
        group.consolidated = store.open(".zmetadata", zarrange_io::Access::Read)?.is_some();
        return Ok(Documents::Group(group));
    }
    Ok(Documents::None)
}

fn attributes_v2(store: &Store) -> Result<Members, ArrayError> {
    Ok(read_object(store, ".zattrs", &[])?.unwrap_or_default())
}

fn documents_v3(store: &Store, mut members: Members) -> Result<Documents, ArrayError> {
    let wrong =
        |detail: String| ArrayError::Metadata { location: format!("{}/zarr.json", store.label()), detail };
    let version = members.get("zarr_format").unwrap_or(&Json::Null);
    if *version != Json::integer(3) {
        return Err(wrong(format!("zarr_format is {version}, expected 3")));
    }
    if let Some(attributes) = members.get("attributes")
        && attributes.as_object().is_none()
    {
        return Err(wrong(format!("attributes is {attributes}, an object would be right")));
    }
    let node_type = members.get("node_type").unwrap_or(&Json::Null);
    match node_type.as_str() {
        Some("array") => Ok(Documents::Array(ArrayDocuments::V3(members))),
        Some("group") => {
            let consolidated = members.shift_remove(CONSOLIDATED).is_some_and(|c| !c.is_null());
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
    pub(crate) fn open(self, store: &Store) -> Result<Array, ArrayError> {
        match self {
            Self::V3(members) => Array::new(store.clone(), Document::from_v3(members), 3),
            Self::V2(zarray) => {
                let location = format!("{}/.zarray", store.label());
                let wrong = |detail| ArrayError::Metadata { location, detail };
                let document = Document::from_v2(&zarray, attributes_v2(store)?).map_err(wrong)?;
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
