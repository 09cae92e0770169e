//! Times of numpy, as days and as people write them.

use super::ElementType;

/// The first day of 1970 as a Modified Julian Date.
const MJD_1970: f64 = 40_587.0;

/// A point in time: days since 1970, what is left of the day, and how much a day has of that.
struct Moment {
    days: i128,
    rest: i128,
    per_day: i128,
}

impl ElementType {
    /// Whether elements are points in time, with a unit that tells when.
    pub fn is_date(&self) -> bool {
        self.name == "numpy.datetime64" && self.unit.as_ref().is_some_and(|(unit, _)| unit != "generic")
    }

    /// An element, in native byte order, as a Modified Julian Date; NaN where it is no time, `None` if elements are none.
    pub fn mjd(&self, value: &[u8]) -> Option<f64> {
        if !self.is_date() {
            return None;
        }
        let Some(Moment { days, rest, per_day }) = self.moment(value) else { return Some(f64::NAN) };
        #[expect(clippy::cast_precision_loss, reason = "the nearest number, which is what a date in days is")]
        let (days, part) = (days as f64, rest as f64 / per_day as f64);
        Some(MJD_1970 + days + part)
    }

    /// An element as text of ISO 8601, with as many digits as it has; nothing where it is no time, `None` if elements are none.
    pub(super) fn iso(&self, value: &[u8]) -> Option<String> {
        if !self.is_date() {
            return None;
        }
        let Some(Moment { days, rest, per_day }) = self.moment(value) else { return Some(String::new()) };
        let (year, month, day) = civil(days);
        let date = format!("{year:04}-{month:02}-{day:02}");
        if per_day == 1 {
            return Some(date);
        }
        // In units of the time, or of a second where that is shorter.
        let second = (per_day / 86_400).max(1);
        let rest = rest * (86_400 * second / per_day);
        let (seconds, part) = (rest / second, rest % second);
        let digits = second.ilog10() as usize;
        let part = if part == 0 { String::new() } else { format!(".{part:0digits$}") };
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        Some(format!("{date}T{hours:02}:{minutes:02}:{seconds:02}{}", part.trim_end_matches('0')))
    }

    fn moment(&self, value: &[u8]) -> Option<Moment> {
        let (unit, factor) = self.unit.as_ref()?;
        let count = i64::from_ne_bytes(value.try_into().ok()?);
        if count == i64::MIN {
            return None;
        }
        let count = i128::from(count) * i128::from(*factor);
        let days = |days| Some(Moment { days, rest: 0, per_day: 1 });
        let per_day: i128 = match unit.as_str() {
            "Y" => return days(days_before(count.saturating_mul(12))),
            "M" => return days(days_before(count)),
            "W" => return days(count * 7),
            "D" => return days(count),
            "h" => 24,
            "m" => 1440,
            "s" => 86_400,
            "ms" => 86_400_000,
            "us" => 86_400_000_000,
            "ns" => 86_400_000_000_000,
            "ps" => 86_400_000_000_000_000,
            "fs" => 86_400_000_000_000_000_000,
            "as" => 86_400_000_000_000_000_000_000,
            _ => return None,
        };
        Some(Moment { days: count.div_euclid(per_day), rest: count.rem_euclid(per_day), per_day })
    }
}

/// Days of an era of 400 years.
const ERA: i128 = 146_097;

/// Days from the first of March of year 0 to that of 1970.
const EPOCH: i128 = 719_468;

/// Days from 1970 to the first day of a month, by months since then.
fn days_before(months: i128) -> i128 {
    let (year, month) = (1970 + months.div_euclid(12), months.rem_euclid(12));
    // Years that begin in March have their odd day at the end.
    let (year, month) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    era * ERA + year * 365 + year / 4 - year / 100 + (153 * month + 2) / 5 - EPOCH
}

/// Year, month and day, by days since 1970.
fn civil(days: i128) -> (i128, i128, i128) {
    let (era, day) = ((days + EPOCH).div_euclid(ERA), (days + EPOCH).rem_euclid(ERA));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

#[cfg(test)]
mod tests {
    use zarrs::metadata::v3::MetadataV3;

    use crate::ElementType;

    #[test]
    fn times_are_days_and_text() {
        let check = |(unit, factor): (&str, u64), count: i64, mjd: f64, iso: &str| {
            let metadata = format!(
                r#"{{"name": "numpy.datetime64", "configuration": {{"unit": "{unit}", "scale_factor": {factor}}}}}"#
            );
            let metadata: MetadataV3 = serde_json::from_str(&metadata).unwrap();
            let element = ElementType::new(&metadata).unwrap();
            let value = count.to_ne_bytes();
            let found = element.mjd(&value).unwrap();
            assert!(
                (found - mjd).abs() < 1e-9 || (found.is_nan() && mjd.is_nan()),
                "{unit} {count}: {found}"
            );
            assert_eq!(element.text(&value).as_deref(), Some(iso), "{unit} {count}");
        };
        check(("D", 1), 0, 40_587.0, "1970-01-01");
        check(("D", 1), 11_016, 51_603.0, "2000-02-29");
        check(("D", 1), -1, 40_586.0, "1969-12-31");
        check(("W", 2), 1, 40_601.0, "1970-01-15");
        check(("M", 1), 361, 51_575.0, "2000-02-01");
        check(("Y", 1), -1, 40_222.0, "1969-01-01");
        check(("h", 6), 3, 40_587.75, "1970-01-01T18:00:00");
        check(("m", 1), -1, 40_587.0 - 1.0 / 1440.0, "1969-12-31T23:59:00");
        check(("s", 1), 951_782_400, 51_603.0, "2000-02-29T00:00:00");
        check(("ms", 1), 1_500, 40_587.0 + 1.5 / 86_400.0, "1970-01-01T00:00:01.5");
        check(("ns", 1), 43_200_000_000_250, 40_587.5, "1970-01-01T12:00:00.00000025");
        check(("as", 1), 1_000_000_000_000_000_000, 40_587.0 + 1.0 / 86_400.0, "1970-01-01T00:00:01");
        check(("ns", 1), i64::MIN, f64::NAN, "");
    }
}
