//! What is drawn.

/// A light curve as it is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LightCurve {
    /// What stands above it.
    pub title: String,
    /// What the times are: `MJD (TDB)`.
    pub time_label: String,
    /// What the values are, with their unit in brackets: `flux (nJy)`.
    pub value_label: String,
    /// Whether small values are above, as magnitudes have it.
    pub inverted: bool,
    /// The period that times are folded on.
    pub fold: Option<Fold>,
    /// What was measured, by band.
    pub series: Vec<Series>,
}

/// A period that times are folded on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fold {
    /// In days.
    pub period: f64,
    /// A time of phase 0.
    pub epoch: f64,
}

/// What was measured in a band.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Name of the band.
    pub name: String,
    /// When it was measured.
    pub times: Vec<f64>,
    /// What was measured; NaN where nothing was.
    pub values: Vec<f64>,
    /// Standard errors; NaN where there is none.
    pub errors: Option<Vec<f64>>,
}
