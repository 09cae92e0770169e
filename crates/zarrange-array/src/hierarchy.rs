//! Groups and what is in them.

use serde_json::{Map, Value, json};
use zarrange_io::Store;

use crate::ArrayError;
use crate::array::Array;
use crate::document::{Document, read_object, to_json};

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
    members: Map<String, Value>,
    consolidated: bool,
    zarr_format: u8,
}

impl Group {
    /// The document of a new group.
    pub fn new(store: Store, attributes: Map<String, Value>) -> Self {
        let mut members = Map::new();
        members.insert("zarr_format".to_owned(), json!(3));
        members.insert("node_type".to_owned(), json!("group"));
        members.insert("attributes".to_owned(), Value::Object(attributes));
        Self { store, members, consolidated: false, zarr_format: 3 }
    }

    /// The store, rooted at the group.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The user attributes.
    pub fn attributes(&self) -> Map<String, Value> {
        self.members.get("attributes").and_then(Value::as_object).cloned().unwrap_or_default()
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
    pub const fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// The bytes of its `zarr.json`; with `consolidated` it repeats those documents, by path.
    pub fn to_json(&self, consolidated: Option<&Map<String, Value>>) -> Vec<u8> {
        let mut members = self.members.clone();
        if let Some(below) = consolidated {
            let inline = json!({"kind": "inline", "must_understand": false, "metadata": below});
            members.insert("consolidated_metadata".to_owned(), inline);
        }
        to_json(&members)
    }

    /// Names of the groups and arrays directly below, sorted.
    ///
    /// # Errors
    /// If the store cannot be listed.
    pub fn children(&self) -> Result<Vec<String>, ArrayError> {
        let mut out = Vec::new();
        for entry in self.store.list("")? {
            if entry.bytes.is_none() {
                let below = self.store.list(&entry.name)?;
                if below.iter().any(|e| is_metadata(&e.name)) {
                    out.push(entry.name);
                }
            }
        }
        Ok(out)
    }
}

fn is_metadata(name: &str) -> bool {
    matches!(name, "zarr.json" | ".zarray" | ".zgroup")
}

/// Opens the node at the root of `store`; v3 is preferred where both versions are stored.
///
/// # Errors
/// [`ArrayError::NotZarr`] if there is no metadata, or what is wrong with it.
pub fn open(store: &Store) -> Result<Node, ArrayError> {
    if let Some(members) = read_object(store, "zarr.json")? {
        return open_v3(store, members);
    }
    let attributes = || read_object(store, ".zattrs").map(Option::unwrap_or_default);
    if let Some(zarray) = read_object(store, ".zarray")? {
        let wrong = |detail| ArrayError::Metadata { location: format!("{}/.zarray", store.label()), detail };
        let document = Document::from_v2(Value::Object(zarray), attributes()?).map_err(wrong)?;
        return Ok(Node::Array(Box::new(Array::new(store.clone(), document, 2)?)));
    }
    if read_object(store, ".zgroup")?.is_some() {
        let mut group = Group::new(store.clone(), attributes()?);
        group.zarr_format = 2;
        group.consolidated = read_object(store, ".zmetadata")?.is_some();
        return Ok(Node::Group(group));
    }
    Err(ArrayError::NotZarr { location: store.label().to_owned() })
}

fn open_v3(store: &Store, mut members: Map<String, Value>) -> Result<Node, ArrayError> {
    let wrong =
        |detail: String| ArrayError::Metadata { location: format!("{}/zarr.json", store.label()), detail };
    let version = members.get("zarr_format").cloned().unwrap_or_default();
    if version != json!(3) {
        return Err(wrong(format!("zarr_format is {version}, expected 3")));
    }
    match members.get("node_type").and_then(Value::as_str) {
        Some("array") => Ok(Node::Array(Box::new(Array::new(store.clone(), Document::from_v3(members), 3)?))),
        Some("group") => {
            let consolidated = members.remove("consolidated_metadata").is_some_and(|c| !c.is_null());
            Ok(Node::Group(Group { store: store.clone(), members, consolidated, zarr_format: 3 }))
        }
        other => Err(wrong(format!("node_type is {other:?}, expected \"array\" or \"group\""))),
    }
}

/// Calls `visit` with the path and node of everything below `node`, parents first, names sorted; the root's path is empty.
///
/// # Errors
/// What opening a node or `visit` returned.
pub fn walk<E: From<ArrayError>>(
    node: Node,
    path: &str,
    visit: &mut dyn FnMut(&str, Node) -> Result<(), E>,
) -> Result<(), E> {
    let (children, store) = match &node {
        Node::Array(_) => (Vec::new(), None),
        Node::Group(group) => (group.children()?, Some(group.store().clone())),
    };
    visit(path, node)?;
    for name in children {
        let Some(store) = &store else { break };
        let below = store.below(&name).map_err(ArrayError::from)?;
        let child = open(&below)?;
        let path = if path.is_empty() { name } else { format!("{path}/{name}") };
        walk(child, &path, visit)?;
    }
    Ok(())
}
