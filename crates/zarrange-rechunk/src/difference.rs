//! How two hierarchies differ.

use std::fmt;

/// How two hierarchies differ: the first difference found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// Something that only one of them has, or that is an array in one and a group in the other.
    Missing {
        /// Its path.
        path: String,
        /// What `a` has there.
        a: &'static str,
        /// What `b` has there.
        b: &'static str,
    },
    /// A property of an array or group.
    Property {
        /// Its path.
        path: String,
        /// Shape, data type, fill value, or an attribute.
        property: String,
        /// Its value in `a`.
        a: String,
        /// Its value in `b`.
        b: String,
    },
    /// An element.
    Value {
        /// Path of the array.
        array: String,
        /// Where the element is.
        index: Vec<u64>,
        /// Its value in `a`.
        a: String,
        /// Its value in `b`.
        b: String,
    },
    /// The stored bytes of arrays whose elements cannot be read here.
    Stored {
        /// Path of the array.
        array: String,
        /// Key of the chunk, or the codecs.
        key: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |path: &str| if path.is_empty() { "the root".to_owned() } else { format!("{path:?}") };
        match self {
            Self::Missing { path, a, b } => write!(f, "{}: {a} in the first, {b} in the second", name(path)),
            Self::Property { path, property, a, b } => {
                write!(f, "{}: {property} is {a} in the first, {b} in the second", name(path))
            }
            Self::Value { array, index, a, b } => {
                write!(f, "{}: element {index:?} is {a} in the first, {b} in the second", name(array))
            }
            Self::Stored { array, key } => {
                write!(
                    f,
                    "{}: stored bytes of {key} differ, and the values cannot be read to compare them",
                    name(array)
                )
            }
        }
    }
}
