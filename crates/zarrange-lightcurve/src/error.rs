//! What can go wrong with light curves.

use zarrange_array::ArrayError;

/// A table that cannot be ingested.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LightCurveError {
    /// A column that is needed is missing.
    #[error(
        "{path}: no column {name:?}: there must be object_id, time, band, mag and magerr, or columns that are said to be these"
    )]
    Column {
        /// The table.
        path: String,
        /// Name of the column.
        name: String,
    },
    /// A word that says nothing about a column.
    #[error("{name:?} is not what a column can be: {roles:?}")]
    Role {
        /// The word.
        name: String,
        /// What there is.
        roles: &'static [&'static str],
    },
    /// A value that is not a number.
    #[error("{path}, {place}: {column} is {value:?}, expected {expected}")]
    Value {
        /// The table.
        path: String,
        /// Where in it.
        place: String,
        /// Name of the column.
        column: &'static str,
        /// The text.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// More bands than codes.
    #[error("{path}, {place}: more than {max} bands: is the band column right?")]
    Bands {
        /// The table.
        path: String,
        /// Where in it.
        place: String,
        /// The most bands there can be.
        max: usize,
    },
    /// The table does not fit the memory.
    #[error(
        "{path}: no room for {what} in the {bytes_max} bytes of --max-mem, after {rows} measurements of {objects} objects with \
         {name_bytes} bytes of names: raise --max-mem, or ingest the table in parts"
    )]
    Memory {
        /// The table.
        path: String,
        /// The bound.
        bytes_max: u64,
        /// What there is no room for.
        what: &'static str,
        /// Measurements so far.
        rows: u64,
        /// Objects so far.
        objects: u64,
        /// Bytes of their names.
        name_bytes: u64,
    },
    /// A chunk does not fit the memory that the measurements leave.
    #[error(
        "a chunk of {array} takes {bytes} bytes, the measurements leave {left} of --max-mem {bytes_max}: choose smaller --chunks, or \
         raise --max-mem to at least {}", (bytes_max - left).saturating_add(*bytes)
    )]
    ChunkMemory {
        /// The array.
        array: &'static str,
        /// What writing a chunk takes.
        bytes: u64,
        /// What is left.
        left: u64,
        /// The bound.
        bytes_max: u64,
    },
    /// A row that is none of its table.
    #[error("{path}, {place}: {reason}")]
    Row {
        /// The table.
        path: String,
        /// Where in it.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// The table of a dimension does not fit the memory.
    #[error("{path}: no room for {rows} rows within {bytes_max} bytes")]
    TableMemory {
        /// The table.
        path: String,
        /// Rows so far.
        rows: u64,
        /// The bound.
        bytes_max: u64,
    },
    /// The table has no rows.
    #[error("{path}: no measurements")]
    Empty {
        /// The table.
        path: String,
    },
    /// No array over objects and epochs.
    #[error("{location} holds no light curves: no array has the dimensions object and epoch (or sequence)")]
    NotLightCurves {
        /// The place.
        location: String,
    },
    /// A store that is made in a way that is not known.
    #[error(
        "{location} is a store of light curves of a newer version than {known}, the newest one that is known here: use a newer zarrange"
    )]
    Version {
        /// The place.
        location: String,
        /// The newest version that is known.
        known: u64,
    },
    /// Arrays that do not agree on the size of a dimension.
    #[error("{array} is {size} long along {dimension}, others are {known}")]
    Size {
        /// The array.
        array: String,
        /// The dimension.
        dimension: String,
        /// Its size in that array.
        size: u64,
        /// Its size elsewhere.
        known: u64,
    },
    /// A dimension that a store does not have.
    #[error("there is no dimension {name:?}: there are {dimensions:?}")]
    Dimension {
        /// The name given.
        name: String,
        /// The names there are.
        dimensions: Vec<String>,
    },
    /// A label that cannot be one.
    #[error("labels along {dimension}: {bad}")]
    Label {
        /// The dimension.
        dimension: String,
        /// What is wrong.
        bad: BadLabel,
    },
    /// Labels or a side variable of another length than their dimension.
    #[error("{name} has {length} values, {dimension} is {size} long")]
    Length {
        /// The variable.
        name: String,
        /// Its values.
        length: u64,
        /// The dimension.
        dimension: String,
        /// How long it is.
        size: u64,
    },
    /// A name that an array cannot have.
    #[error(
        "no variable can be called {name:?} here: choose another name, without / and without a dot at its begin"
    )]
    Taken {
        /// The name.
        name: String,
    },
    /// No layout suits.
    #[error("layout {layout}: {reason}")]
    Layout {
        /// What was asked for.
        layout: String,
        /// Why not.
        reason: String,
    },
    /// A new store that was to keep codecs.
    #[error("a new store has no codecs to keep: choose some, such as zstd:3")]
    NothingToKeep,
    /// An array of values that a store does not have.
    #[error("there is no array of values {name:?}: there are {values:?}")]
    Values {
        /// The name given.
        name: String,
        /// The names there are.
        values: Vec<String>,
    },
    /// A label that a dimension does not have.
    #[error("there is no {dimension} {label:?}: there are {count}, such as {some:?}")]
    NoLabel {
        /// The dimension.
        dimension: String,
        /// What was asked for.
        label: String,
        /// The first that there are.
        some: Vec<String>,
        /// How many there are.
        count: u64,
    },
    /// More labels than there is memory for.
    #[error("labels along {dimension}: no room for more than {count} within {bytes_max} bytes")]
    LabelMemory {
        /// The dimension.
        dimension: String,
        /// How many were read.
        count: u64,
        /// The bound.
        bytes_max: u64,
    },
    /// Labels of a type that nobody writes in a table.
    #[error("{array} holds neither text nor numbers, so that nothing can be found by it: use numbers from 0")]
    NoText {
        /// The array.
        array: String,
    },
    /// A side variable that should be of numbers.
    #[error("{name} holds {value:?}, which is no number")]
    NoNumbers {
        /// The side variable.
        name: String,
        /// What it holds.
        value: String,
    },
    /// A value that an array cannot have.
    #[error("{array} is of {data_type}, and cannot have {value}")]
    Unfit {
        /// The array.
        array: String,
        /// Its data type.
        data_type: String,
        /// The value.
        value: String,
    },
    /// A side variable that a dimension does not have.
    #[error("{dimension} has no side variable {name:?}: it has {variables:?}")]
    Variable {
        /// The dimension.
        dimension: String,
        /// The name given.
        name: String,
        /// The names there are.
        variables: Vec<String>,
    },
    /// New indices of a dimension that has labels, or has none.
    #[error("{dimension} of this store has {}", if *has { "labels: give those of the new ones" } else { "no labels: give only how many there are" })]
    Labelled {
        /// The dimension.
        dimension: String,
        /// Whether it has labels.
        has: bool,
    },
    /// A store that has other epochs than when it was opened.
    #[error("{location} has grown since it was opened: it has {now} epochs, and had {then}; open it again")]
    Grown {
        /// The place.
        location: String,
        /// Its epochs now.
        now: u64,
        /// Its epochs when it was opened.
        then: u64,
    },
    /// Epochs that were added in part.
    #[error("{location}: adding epochs broke off there: add them again, then go on")]
    HalfAdded {
        /// The place.
        location: String,
    },
    /// An array that cannot get more epochs.
    #[error("{array} has the dimension {dimension} twice: epochs cannot be added while it is there")]
    TwoAxes {
        /// The array.
        array: String,
        /// The dimension.
        dimension: String,
    },
    /// More epochs than a store can have.
    #[error(
        "{size} epochs are too many for a store: {max} is the most, for what is recorded of all of them is read at once"
    )]
    Epochs {
        /// How many there would be.
        size: u64,
        /// The most there can be.
        max: u64,
    },
    /// Something is stored where new epochs come.
    #[error(
        "{array}: chunk {key} holds values beyond the end of the array, where new epochs would be: write it anew, with its fill value there"
    )]
    Beyond {
        /// The array.
        array: String,
        /// The chunk.
        key: String,
    },
    /// A store that is not said to be a copy.
    #[error("{location} does not say of what store it is a copy: name that, or make a copy anew")]
    NoCopy {
        /// The place.
        location: String,
    },
    /// A store that is filled by bringing it up to date.
    #[error("{location} is a copy of {of}: fill that, and bring the copy up to date")]
    Copy {
        /// The place.
        location: String,
        /// What it is a copy of.
        of: String,
    },
    /// Two stores that are not in step, and cannot be.
    #[error("{location} is no copy of {source_location}: {reason}; make a copy anew")]
    Apart {
        /// The place of the copy.
        location: String,
        /// The place of the source.
        source_location: String,
        /// Why.
        reason: String,
    },
    /// A number beyond a dimension.
    #[error("{dimension} {index} is out of range: there are {size}, from 0")]
    Index {
        /// The dimension.
        dimension: String,
        /// The number given.
        index: u64,
        /// How many there are.
        size: u64,
    },
    /// More than there are bytes for.
    #[error("{shape:?} elements are too many")]
    TooMuch {
        /// How many along each dimension.
        shape: Vec<u64>,
    },
    /// A number that is given twice.
    #[error("a contribution names the same {dimension} twice")]
    Again {
        /// The dimension.
        dimension: String,
    },
    /// Data of another size than what it is for.
    #[error("{array}: {given} bytes are given, {expected:?} elements of {item_bytes} bytes are expected")]
    Shape {
        /// The array.
        array: String,
        /// The shape expected, without the dimension of epochs.
        expected: Vec<u64>,
        /// Bytes of an element.
        item_bytes: u64,
        /// Bytes given.
        given: u64,
    },
    /// A value that is there, where another is given.
    #[error(
        "{array} of {} is {there}, and {given} is given: nothing of that epoch was written; have it replaced if that is meant",
        labels.iter().map(|(dimension, label)| format!("{dimension} {label}")).collect::<Vec<_>>().join(", ")
    )]
    Conflict {
        /// The array.
        array: String,
        /// Where: names of its dimensions, and labels or numbers along them.
        labels: Vec<(String, String)>,
        /// The value there.
        there: String,
        /// The value given.
        given: String,
    },
    /// A record that is not the one of its store.
    #[error(
        "{array} does not record what was filled: it would have shape {shape:?} and a chunk for each epoch, as zarrange makes it; remove the \
         group fills if the store was changed by hand"
    )]
    Record {
        /// The array.
        array: String,
        /// The shape that it would have.
        shape: Vec<u64>,
    },
    /// A store without a record of what was filled.
    #[error("{location} keeps no record of what was filled")]
    NoRecord {
        /// The place.
        location: String,
    },
    /// Something of an older format, which is only read.
    #[error("{location} is not of Zarr v3, and is only read: rechunk makes v3 of it")]
    OldFormat {
        /// The place.
        location: String,
    },
    /// Somebody else fills the same epochs.
    #[error("{location}: somebody else fills epoch {epoch}, and did not end within {} s", waited.as_secs_f64())]
    Busy {
        /// The place.
        location: String,
        /// The first of the epochs that are locked together.
        epoch: u64,
        /// How long was waited.
        waited: std::time::Duration,
    },
    /// A store where nobody can be kept from filling the same at the same time.
    #[error(
        "{location}: this store has no locks, so that contributions could be lost; fill a store on a local or network file system"
    )]
    NoLocks {
        /// The place.
        location: String,
    },
    /// A table whose columns do not say what they are.
    #[error("{table}: {reason}; it has the columns {}", columns.join(", "))]
    Columns {
        /// The table.
        table: String,
        /// What is missing.
        reason: String,
        /// The columns there are.
        columns: Vec<String>,
    },
    /// A column in another unit than the store.
    #[error(
        "{table}: column {column:?} is in {given:?}, the store has {theirs}: convert it, or have units ignored"
    )]
    Unit {
        /// The table.
        table: String,
        /// Its column.
        column: String,
        /// Its unit.
        given: String,
        /// What the store has, and its unit.
        theirs: String,
    },
    /// An array of values that are no numbers.
    #[error(
        "{array} is of {data_type}, which a table cannot fill: it must be of float32, float64, or whole numbers"
    )]
    NoNumber {
        /// The array.
        array: String,
        /// Its data type.
        data_type: String,
    },
    /// Two columns that would have one name.
    #[error("two columns would be called {name:?}: choose another name, or fewer arrays")]
    SameName {
        /// The name.
        name: String,
    },
    /// Something that does not fit into a bound on memory.
    #[error("{what}: no room within {bytes_max} bytes of memory, {needed} would do")]
    Room {
        /// What there is no room for.
        what: String,
        /// The bound that would do.
        needed: u64,
        /// The bound.
        bytes_max: u64,
    },
    /// A store of sequences, or an array of it, that observations cannot be added to.
    #[error("{location}: no observations can be added: {reason}")]
    Unfillable {
        /// The place of the store or the array.
        location: String,
        /// Why not.
        reason: String,
    },
    /// Somebody else adds to the store.
    #[error("{location}: somebody else adds observations, and did not end within {} s", waited.as_secs_f64())]
    BusyStore {
        /// The place.
        location: String,
        /// How long was waited.
        waited: std::time::Duration,
    },
    /// A store whose epochs have no times.
    #[error(
        "{location} has no side variable {variable:?} over epochs, so that a time says nothing: name the epoch of the rows instead"
    )]
    NoTimes {
        /// The place.
        location: String,
        /// The variable that is missing.
        variable: &'static str,
    },
    /// An array whose numbers stand for others.
    #[error(
        "{array} has the attribute {attribute}, so that its numbers stand for others: choose other arrays, or read it by xarray"
    )]
    Packed {
        /// The array.
        array: String,
        /// The attribute.
        attribute: String,
    },
    /// A store whose objects have no positions.
    #[error("{location} has no positions of objects: side variables ra and dec, in degrees; it has {side:?}")]
    NoPositions {
        /// The place.
        location: String,
        /// Side variables there are.
        side: Vec<String>,
    },
    /// Something went wrong in the middle of a table.
    #[error("{source}; what its first {rows} rows have was filled before")]
    Partly {
        /// Rows that were filled.
        rows: u64,
        /// What went wrong.
        source: Box<LightCurveError>,
    },
    /// Something went wrong with one epoch of a table.
    #[error("{source}; of its other epochs {epochs} were filled")]
    SomeEpochs {
        /// Epochs that were filled.
        epochs: usize,
        /// What went wrong.
        source: Box<LightCurveError>,
    },
    /// Rejected rows that cannot be written to their file.
    #[error("rejected rows cannot be written: {source}")]
    Rejects {
        /// Why not.
        source: std::io::Error,
    },
    /// It cannot be rechunked.
    #[error(transparent)]
    Rechunk(Box<zarrange_rechunk::RechunkError>),
    /// A table that cannot be read.
    #[error(transparent)]
    Table(#[from] zarrange_table::TableError),
    /// No sample of the store can be taken, or measured.
    #[error(transparent)]
    Sample(Box<zarrange_rechunk::SampleError>),
    /// The arrays cannot be written.
    #[error(transparent)]
    Array(#[from] ArrayError),
    /// Bytes cannot be written.
    #[error(transparent)]
    Io(#[from] zarrange_io::IoError),
}

impl From<zarrange_rechunk::RechunkError> for LightCurveError {
    fn from(error: zarrange_rechunk::RechunkError) -> Self {
        Self::Rechunk(Box::new(error))
    }
}

impl From<zarrange_rechunk::SampleError> for LightCurveError {
    fn from(error: zarrange_rechunk::SampleError) -> Self {
        Self::Sample(Box::new(error))
    }
}

/// What is wrong with a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadLabel {
    /// Labels are text or whole numbers.
    Type,
    /// It is empty.
    Empty {
        /// Where.
        index: u64,
    },
    /// It is there twice.
    Twice {
        /// The label.
        label: String,
        /// Where it is first.
        first: u64,
        /// Where it is again.
        again: u64,
    },
}

impl std::fmt::Display for BadLabel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Type => f.write_str("labels are text or whole numbers"),
            Self::Empty { index } => write!(f, "label {index} is empty"),
            Self::Twice { label, first, again } => {
                write!(f, "label {label:?} is there twice, as number {first} and {again}")
            }
        }
    }
}
