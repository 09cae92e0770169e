//! What all of it gives.

use roxmltree::Document;

use crate::{Fold, LightCurve, PlotError, Series, png, svg};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;
const SIZE: (u32, u32) = (800, 500);

/// A series with errors.
fn series(name: &str, times: &[f64], values: &[f64], errors: &[f64]) -> Series {
    let (times, values, errors) = (times.to_vec(), values.to_vec(), Some(errors.to_vec()));
    Series { name: name.to_owned(), times, values, errors }
}

/// Fluxes of these series.
fn curve(series: &[Series]) -> LightCurve {
    LightCurve {
        title: "An object".into(),
        time_label: "MJD (TDB)".into(),
        value_label: "flux (nJy)".into(),
        series: series.to_vec(),
        ..LightCurve::default()
    }
}

/// Places of what is drawn of a class, by path: where each part begins.
fn begins(text: &str, class: &str) -> Vec<Vec<(f64, f64)>> {
    let document = Document::parse(text).unwrap();
    let paths = document.descendants().filter(|node| node.attribute("class") == Some(class));
    let begin = |part: &str| {
        let end = part.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(part.len());
        // A sign parts numbers, too.
        let spaced = part[..end].replace('-', " -");
        let mut numbers = spaced.split_whitespace().map(|number| number.parse().unwrap());
        (numbers.next().unwrap(), numbers.next().unwrap())
    };
    let path = |node: roxmltree::Node| node.attribute("d").unwrap().split('M').skip(1).map(begin).collect();
    paths.map(path).collect()
}

/// All text of a picture, title and description apart.
fn texts(text: &str) -> Vec<String> {
    let document = Document::parse(text).unwrap();
    let texts = document.descendants().filter(|node| node.has_tag_name("text"));
    texts.map(|node| node.text().unwrap_or("").to_owned()).collect()
}

/// Width and pixels of a picture, red, green and blue.
fn decoded(bytes: &[u8]) -> (usize, Vec<u8>) {
    let mut reader = ::png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.color_type, info.bit_depth), (::png::ColorType::Rgb, ::png::BitDepth::Eight));
    (info.width as usize, pixels)
}

#[test]
fn points_are_drawn_and_others_counted() {
    let check = |one: &Series, fold: Option<Fold>, markers: usize, bars: usize, said: &str| {
        let found = svg(&LightCurve { fold, ..curve(std::slice::from_ref(one)) }, SIZE);
        let count = |class: &str| begins(&found, class).iter().map(Vec::len).sum::<usize>();
        assert_eq!((count("markers"), count("bars")), (markers, bars), "{one:?}");
        assert!(said.is_empty() || texts(&found).iter().any(|text| text == said), "{said}: {found}");
    };
    let fold = Some(Fold { period: 0.5421, epoch: 59000.0 });
    let days = [59000.5, 59001.5, 59002.5, 59003.5];
    check(&series("g", &days, &[1.0, 2.0, 3.0, 4.0], &[0.5; 4]), None, 4, 4, "");
    check(&series("g", &days, &[1.0, 2.0, 3.0, 4.0], &[0.5; 4]), fold, 8, 8, "phase, P = 0.5421 d");
    check(&series("g", &days, &[1.0, NAN, 3.0, 4.0], &[NAN, 0.5, 0.0, 0.5]), None, 3, 1, "");
    check(&series("g", &days, &[INF, -INF, 3.0, INF], &[0.5; 4]), None, 1, 1, "3 values are infinite");
    check(&series("g", &days, &[INF, -INF, 3.0, INF], &[0.5; 4]), fold, 2, 2, "3 values are infinite");
    check(&series("g", &days, &[NAN; 4], &[0.5; 4]), None, 0, 0, "no values");
    check(&series("g", &days, &[NAN; 4], &[0.5; 4]), fold, 0, 0, "no values");
    check(&series("g", &[], &[], &[]), None, 0, 0, "g (no values)");
    check(&series("g", &days[..1], &[1.0], &[0.1]), None, 1, 1, "MJD (TDB)");
    check(&series("g", &[59000.5; 3], &[7.0; 3], &[0.0; 3]), None, 3, 0, "59000.4");
    check(&series("", &days[..1], &[1.0], &[0.1]), Some(Fold { period: NAN, epoch: 0.0 }), 1, 1, "MJD (TDB)");
    assert!(texts(&svg(&curve(&[]), SIZE)).contains(&"no values".to_owned()));
}

#[test]
fn each_series_is_one_path() {
    let days: Vec<f64> = (0..2000).map(f64::from).collect();
    let of = |name: &str| series(name, &days, &days, &days);
    let found = svg(&curve(&[of("g"), of("r"), of("V")]), SIZE);
    for class in ["markers", "bars"] {
        let counts: Vec<usize> = begins(&found, class).iter().map(Vec::len).collect();
        let missing = usize::from(class == "bars");
        assert_eq!(counts, [2000 - missing; 3], "{class}");
    }
    assert!(found.len() < 6000 * 80, "{} bytes", found.len());
    let decimals = |text: &str| text.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
    let paths = Document::parse(&found).unwrap();
    let paths = paths.descendants().filter_map(|node| node.attribute("d"));
    for part in paths.flat_map(|d| d.split('.').skip(1)) {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        assert!(decimals(&part[..end]) <= Some(2), "{part}");
    }
}

#[test]
fn what_is_bright_is_above() {
    // The second is the smaller number.
    let check = |inverted: bool, second_is_above: bool| {
        let one = series("g", &[1.0, 2.0], &[20.0, 15.0], &[0.1; 2]);
        let found = svg(&LightCurve { inverted, ..curve(&[one]) }, SIZE);
        let [places] = &begins(&found, "markers")[..] else { panic!("{found}") };
        assert!(places[0].0 < places[1].0);
        assert_eq!(places[1].1 < places[0].1, second_is_above, "{places:?}");
        // A bar is as far on both sides.
        let bar = begins(&found, "bars")[0][0];
        assert!(bar.0 - places[0].0 < 10.0 && (bar.1 - places[0].1).abs() < 30.0);
    };
    check(true, true);
    check(false, false);
}

#[test]
fn a_wild_point_flattens_nothing() {
    // What the others have of the height, and whether the wild one is in the frame.
    let check_beside = |others: f64, value: f64, error: f64, share: f64, is_beyond: bool| {
        let times: Vec<f64> = (0..20).map(f64::from).collect();
        let mut values: Vec<f64> = times.iter().map(|time| 10.0 + time / 2.0).collect();
        let mut errors = vec![others; 20];
        (values[7], errors[7]) = (value, error);
        let found = svg(&curve(&[series("", &times, &values, &errors)]), SIZE);
        let [top, bottom] = {
            let frame = &begins(&found, "frame")[0];
            [frame[0].1, frame[1].1]
        };
        let places = &begins(&found, "markers")[0];
        let (first, last) = (places[0].1, places[places.len() - 1].1);
        assert!((first - last) / (bottom - top) > share, "{value} ± {error}: {first} to {last}");
        assert_eq!(begins(&found, "beyond").len(), usize::from(is_beyond), "{value} ± {error}");
        let said = texts(&found).contains(&"1 value with a large error is beyond the frame".to_owned());
        assert_eq!(said, is_beyond);
        for (_, y) in begins(&found, "bars").concat() {
            assert!((top..=bottom).contains(&y), "{y} is beyond {top} to {bottom}");
        }
    };
    let check = |value: f64, error: f64, share: f64, is_beyond: bool| {
        check_beside(0.5, value, error, share, is_beyond);
    };
    check(13.5, 0.5, 0.6, false);
    check(13.5, 1e6, 0.6, false);
    check(1e6, 1e6, 0.6, true);
    check(-1e300, 1e308, 0.6, true);
    // A flare is real.
    check(40.0, 0.5, 0.2, false);
    check(100.0, 6.0, 0.08, false);
    // Errors of 0 are none to compare with.
    check_beside(0.0, 30.0, 9.0, 0.25, false);
    // Where all errors are huge, the values are still seen.
    check_beside(1e4, 13.5, 1e4, 0.25, false);
}

#[test]
fn names_are_escaped() {
    let name = "<script>alert(\"1\")</script> & '\u{1}\u{0}'";
    let mut one = curve(&[series(name, &[1.0], &[2.0], &[0.1])]);
    one.title = "a < b && c\u{1b}[0m".into();
    one.time_label = "t <s>".into();
    one.value_label = "f & g".into();
    let found = svg(&one, SIZE);
    let texts = texts(&found);
    for expected in ["a < b && c[0m", "t <s>", "f & g", "<script>alert(\"1\")</script> & ''"] {
        assert!(texts.iter().any(|text| text == expected), "{expected}: {texts:?}");
    }
    let document = Document::parse(&found).unwrap();
    assert!(!document.descendants().any(|node| node.has_tag_name("script")));
    let tag = |name: &str| document.descendants().find(|node| node.has_tag_name(name)).unwrap().text();
    assert_eq!(tag("title"), Some("a < b && c[0m"));
    let expected = "Light curve of 1 value (<script>alert(\"1\")</script> & '': 1). f & g: from 2 to 2. t <s>: from 1 to 1.";
    assert_eq!(tag("desc"), Some(expected));
}

#[test]
fn a_png_shows_what_the_svg_says() {
    let one = curve(&[series("r", &[1.0, 2.0, 3.0], &[5.0, 9.0, 7.0], &[0.1; 3])]);
    let found = svg(&one, SIZE);
    let (width, pixels) = decoded(&png(&one, SIZE).unwrap());
    assert_eq!((width, pixels.len()), (800, 800 * 500 * 3));
    let pixel = |x: f64, y: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "inside the picture")]
        let at = (y as usize * width + x as usize) * 3;
        &pixels[at..at + 3]
    };
    for (x, y) in begins(&found, "markers").concat() {
        // Its left end is where it begins; red is the band r.
        assert_eq!(pixel(x + 3.0, y), [0xc8, 0x28, 0x1e], "at {x} {y}");
        assert_eq!(pixel(x - 6.0, y + 6.0), [255; 3], "beside {x} {y}");
    }
    let dark = |rows: std::ops::Range<usize>| {
        pixels[rows.start * width * 3..rows.end * width * 3].chunks(3).filter(|p| p[0] < 0x60).count()
    };
    assert!(dark(14..30) > 100, "no title");
    assert!(dark(470..500) > 100, "no label of times");
    assert_eq!(dark(0..10), 0);
    // Twice the size is the same picture.
    let (width, twice) = decoded(&png(&one, (1600, 1000)).unwrap());
    let (x, y) = begins(&found, "markers")[0][0];
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "inside the picture")]
    let at = ((y * 2.0) as usize * width + (x * 2.0) as usize + 6) * 3;
    assert_eq!(twice[at..at + 3], [0xc8, 0x28, 0x1e]);
}

#[test]
fn labels_end_inside() {
    let check = |times: [f64; 2]| {
        let found = svg(&curve(&[series("g", &times, &[1.0, 2.0], &[0.1; 2])]), SIZE);
        let document = Document::parse(&found).unwrap();
        let labels = document.descendants().filter(|node| {
            node.attribute("text-anchor") == Some("middle") && node.attribute("transform").is_none()
        });
        let mut count = 0;
        for label in labels {
            let number = |name: &str| label.attribute(name).unwrap().parse::<f64>().unwrap();
            let half = crate::font::width(label.text().unwrap(), number("font-size")) / 2.0;
            let (left, right) = (number("x") - half, number("x") + half);
            assert!(left >= 0.0 && right <= 800.0, "{left} to {right}: {label:?}");
            count += 1;
        }
        assert!(count > 2, "{count} labels");
    };
    check([59000.0, 59001.0]);
    check([0.0, 1e5]);
    check([1e300, 1.000_000_000_01e300]);
}

#[test]
fn sizes_have_bounds() {
    let one = curve(&[series("g", &[1.0, 2.0], &[2.0, 3.0], &[0.1; 2])]);
    let check = |width: u32, height: u32, fits: bool| {
        let found = png(&one, (width, height));
        match &found {
            Ok(bytes) => assert_eq!(decoded(bytes).0, width as usize),
            Err(PlotError::Size { width: w, height: h }) => assert_eq!((*w, *h), (width, height)),
            Err(other) => panic!("{other}"),
        }
        assert_eq!(found.is_ok(), fits, "{width} x {height}");
        let found = svg(&one, (width, height));
        Document::parse(&found).unwrap();
        assert!(!found.contains("NaN") && !found.contains("inf\""), "{width} x {height}");
    };
    check(1, 1, true);
    check(160, 100, true);
    check(3000, 10, true);
    check(10, 3000, true);
    check(0, 500, false);
    check(500, 0, false);
    check(16385, 10, false);
    check(16384, 16384, false);
    check(u32::MAX, u32::MAX, false);
}

#[test]
fn the_same_gives_the_same_bytes() {
    let days: Vec<f64> = (0..50).map(f64::from).collect();
    let one = || curve(&[series("g", &days, &days, &days), series("V", &days, &days, &days)]);
    assert_eq!(svg(&one(), SIZE), svg(&one(), SIZE));
    assert_eq!(png(&one(), SIZE).unwrap(), png(&one(), SIZE).unwrap());
}

#[test]
fn whatever_the_numbers_coordinates_are_some() {
    const HOSTILE: [f64; 16] = [
        NAN,
        INF,
        -INF,
        0.0,
        -0.0,
        1.0,
        -1.0,
        1e308,
        -1e308,
        f64::MAX,
        f64::MIN,
        5e-324,
        -5e-324,
        f64::MIN_POSITIVE,
        59000.5,
        1e-17,
    ];
    let mut state = 1u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    for round in 0..1500 {
        // Few kinds of numbers at once, so that each kind of range is met.
        let kinds: Vec<f64> = (0..=next(4)).map(|_| HOSTILE[next(HOSTILE.len())]).collect();
        let mut numbers = |count: usize| (0..count).map(|_| kinds[next(kinds.len())]).collect::<Vec<f64>>();
        let (count, fewer) = (round % 12, round % 5);
        let mut series = Vec::new();
        for name in ["g", "other", ""].into_iter().take(round % 4) {
            let (times, values, errors) = (numbers(count), numbers(count), numbers(count - fewer.min(count)));
            series.push(Series { name: name.into(), times, values, errors: Some(errors) });
        }
        let [period, epoch] = numbers(2)[..] else { unreachable!() };
        let fold = (round % 3 == 0).then_some(Fold { period, epoch });
        let one = LightCurve { fold, inverted: round % 2 == 0, ..curve(&series) };
        let text = svg(&one, SIZE);
        let document = Document::parse(&text).unwrap();
        for node in document.descendants() {
            for attribute in node.attributes() {
                let value = attribute.value();
                let is_named = ["font-family", "xmlns", "class", "role"].contains(&attribute.name());
                assert!(is_named || !value.contains("NaN") && !value.contains("inf"), "{one:?}: {value}");
            }
        }
        for class in ["markers", "bars", "beyond", "grid", "frame"] {
            for (x, y) in begins(&text, class).concat() {
                let inside = (0.0..=800.0).contains(&x) && (0.0..=500.0).contains(&y);
                assert!(inside, "{one:?}: {class} at {x} {y}");
            }
        }
        assert!(round % 100 != 0 || png(&one, SIZE).is_ok());
    }
}

#[test]
fn what_is_said_of_the_rest_is_said_in_small_pictures_too() {
    let one =
        series("g", &[1.0, 2.0, NAN, 3.0, INF], &[INF, 2.0, 3.0, 4.0, 5.0], &[1.0, -1.0, 1.0, INF, 1.0]);
    let one = LightCurve { fold: Some(Fold { period: 0.0, epoch: 0.0 }), ..curve(&[one]) };
    for size in [(800, 500), (200, 120), (100, 100), (30, 900)] {
        let found = svg(&one, size);
        let all = texts(&found).join(" ");
        for expected in [
            "1 value is infinite",
            "1 value has no time",
            "1 time is infinite",
            "1 error is negative",
            "1 error is infinite",
            "not folded: the period must be a positive number",
        ] {
            assert!(all.contains(expected), "{size:?}: {expected} is not in {all}");
        }
        let frame = &begins(&found, "frame")[0];
        assert!(frame[1].1 - frame[0].1 >= 100.0, "{size:?}: no room for the plot");
    }
}
