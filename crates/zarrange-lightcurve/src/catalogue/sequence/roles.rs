//! What the columns of a table are, for a store of sequences.

use crate::LightCurveError;
use crate::catalogue::mapping::{Finder, MEASUREMENTS, Of, Roles, TIMES, Value, place};
use crate::store::sequence::{BAND, TIME};

/// Where the band of a row comes from.
#[derive(Debug)]
pub(super) enum BandOf {
    /// The store has no bands.
    None,
    /// It is the same in all rows.
    Fixed(String),
    /// It is named by a column: that one of those which are read.
    Column(usize),
}

/// What the columns of one table are.
#[derive(Debug)]
pub(super) struct SequenceRoles {
    /// Objects and values; times are among them.
    pub(super) wanted: Roles,
    /// The column of times: that one of those which are read.
    pub(super) time: usize,
    pub(super) band: BandOf,
}

impl Finder<'_> {
    /// What the columns are.
    ///
    /// # Errors
    /// [`LightCurveError::Columns`], with what is missing and what there is.
    pub(super) fn sequence_roles(&self) -> Result<SequenceRoles, LightCurveError> {
        let has_bands = self.store.values(BAND).is_some();
        self.check_targets()?;
        let epochs = &self.store.schema().epochs().name;
        if self.mapping.columns.iter().any(|(target, _)| target == epochs) {
            return Err(self
                .wrong(format!("{epochs} is no column: the place of an observation follows from its time")));
        }
        for (k, (name, _)) in self.mapping.at.iter().enumerate() {
            if name != BAND || !has_bands || k > 0 {
                return Err(self.wrong(format!(
                    "{name} cannot be the same in all rows, or is told twice: only {BAND} can"
                )));
            }
        }
        let mut wanted = Vec::new();
        let object = self.object(&mut wanted)?;
        let time = self.column(TIME, &TIMES)?;
        let time = time
            .ok_or_else(|| self.wrong(format!("no column holds times: say which does with {TIME}=COLUMN")))?;
        let time = place(&mut wanted, time);
        let band = match self.mapping.at.first() {
            _ if !has_bands => BandOf::None,
            Some((_, name)) => BandOf::Fixed(name.clone()),
            None => {
                let column = self.column(BAND, &MEASUREMENTS)?.ok_or_else(|| {
                    self.wrong(format!("nothing says which {BAND} rows are of: say it for all with {BAND}=NAME, or name a column with {BAND}=COLUMN"))
                })?;
                BandOf::Column(place(&mut wanted, column))
            }
        };
        let mut values = self.values(&mut wanted, &[TIME, BAND])?;
        for value in &values {
            let inner = self.store.named(&value.array)?.shape().len() > 2;
            if inner {
                return Err(self.wrong(format!("{} has more dimensions than a table can fill", value.array)));
            }
        }
        values.push(Value { array: TIME.to_owned(), at: Vec::new(), column: time });
        let wanted = Roles { wanted, object, epoch: Of::Time(time), others: Vec::new(), values };
        Ok(SequenceRoles { wanted, time, band })
    }

    /// The column that is said to be `word`, or is called like one of `names`.
    fn column(&self, word: &str, names: &[&str]) -> Result<Option<usize>, LightCurveError> {
        let given = self.given(word)?;
        Ok(given.or_else(|| names.iter().find_map(|name| self.named(name))))
    }
}
