//! Room for text in charts. How wide text is depends on the fonts of whoever looks: here it is as wide as in the widest that charts ask for.

/// Size of what is written at points and axes.
pub(crate) const SMALL: f64 = 11.0;

/// The most that a text of this size takes.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    let each = text.chars().map(|c| match c {
        ' ' | '.' | ',' | ':' | ';' | '\'' | '|' | 'i' | 'j' | 'l' => 0.34,
        '-' | '(' | ')' | '/' | 'f' | 'r' | 't' => 0.42,
        'c' | 'k' | 's' | 'v' | 'x' | 'y' | 'z' => 0.6,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.98,
        'A'..='Z' | '×' | '+' | '<' | '=' | '>' | '#' | '&' | '~' => 0.84,
        ' '..='~' | 'µ' => 0.64,
        _ => 1.02,
    });
    each.sum::<f64>() * size
}

/// As much of a text as this width has room for.
pub(crate) fn fit(text: &str, size: f64, width_max: f64) -> String {
    if width(text, size) <= width_max {
        return text.to_owned();
    }
    let mut kept = text.to_owned();
    while kept.pop().is_some() && width(&kept, size) + 1.02 * size > width_max {}
    kept + "…"
}

/// Part of a chart: left, right, top, bottom.
type Area = (f64, f64, f64, f64);

/// Where a text begins, or ends with the class `end`, or has its middle.
type Place = ((f64, f64), &'static str);

/// What of a chart is taken by marks and by labels.
#[derive(Clone, Debug)]
pub(crate) struct Labels {
    within: Area,
    taken: Vec<Area>,
}

impl Labels {
    pub(crate) const fn new(within: Area) -> Self {
        Self { within, taken: Vec::new() }
    }

    /// A mark is here.
    pub(crate) fn point(&mut self, (x, y): (f64, f64)) {
        self.taken.push((x - 6.0, x + 6.0, y - 6.0, y + 6.0));
    }

    /// A line goes through these places.
    pub(crate) fn line(&mut self, places: &[(f64, f64)]) {
        const STEPS: u32 = 64;
        for pair in places.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            self.taken.extend((0..=STEPS).map(|step| {
                let share = f64::from(step) / f64::from(STEPS);
                let (x, y) = (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share);
                (x - 2.0, x + 2.0, y - 2.0, y + 2.0)
            }));
        }
    }

    /// Where the label of a point goes; `None` if it would cover something wherever it went.
    pub(crate) fn place(&mut self, (x, y): (f64, f64), text: &str) -> Option<Place> {
        let places: [Place; 8] = [
            ((x - 7.0, y + 14.0), "small end"),
            ((x + 7.0, y - 7.0), "small"),
            ((x + 7.0, y + 14.0), "small"),
            ((x - 7.0, y - 7.0), "small end"),
            ((x - 9.0, y + 4.0), "small end"),
            ((x + 9.0, y + 4.0), "small"),
            ((x, y - 10.0), "small middle"),
            ((x, y + 18.0), "small middle"),
        ];
        places.into_iter().find(|place| self.take(*place, text))
    }

    /// Takes the room of a text, if nothing else has it.
    fn take(&mut self, ((x, y), class): Place, text: &str) -> bool {
        let width = width(text, SMALL);
        let left = match class {
            "small end" => x - width,
            "small middle" => x - width / 2.0,
            _ => x,
        };
        let area = (left, left + width, y - SMALL, y + 3.0);
        let (from, to, top, bottom) = self.within;
        let inside = area.0 >= from && area.1 <= to && area.2 >= top && area.3 <= bottom;
        let free = inside && !self.taken.iter().any(|other| overlap(*other, area));
        if free {
            self.taken.push(area);
        }
        free
    }
}

fn overlap(a: Area, b: Area) -> bool {
    a.0 < b.1 && b.0 < a.1 && a.2 < b.3 && b.2 < a.3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_to_its_room() {
        assert_eq!(fit("abcd", 10.0, 25.2), "abcd");
        assert_eq!(fit("abdef", 10.0, 24.0), "ab…");
        assert_eq!(fit("abcdef", 10.0, 1.0), "…");
    }

    #[test]
    fn labels_go_where_nothing_is() {
        let mut labels = Labels::new((0.0, 200.0, 0.0, 100.0));
        labels.point((100.0, 50.0));
        assert_eq!(labels.place((100.0, 50.0), "10 × 1"), Some(((93.0, 64.0), "small end")));
        assert_eq!(labels.place((100.0, 50.0), "10 × 1"), Some(((107.0, 43.0), "small")));
        labels.line(&[(0.0, 64.0), (200.0, 64.0)]);
        assert_eq!(labels.place((100.0, 50.0), "10 × 1"), Some(((93.0, 43.0), "small end")));
        assert_eq!(labels.place((5.0, 5.0), "10 × 1"), Some(((12.0, 19.0), "small")));
        assert_eq!(labels.place((100.0, 50.0), &"much".repeat(20)), None);
    }
}
