//! Advice against what reads of both layouts really take.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use zarrange_io::wrappers::counting::{IoCounters, counting};
use zarrange_io::{Location, Opener};
use zarrange_lightcurve::{
    AdviceOptions, Contribution, Cut, FillOptions, LayoutAdvice, LightCurveError, LightCurveStore, NewStore,
    Picked, Wanted,
};
use zarrange_plan::{Reader, StoreProfile};
use zarrange_rechunk::{Codecs, NamedMix, NoProgress, Request, Weighed, prepare, run};

const OBJECTS: u64 = 4000;
const EPOCHS: u64 = 150;
const MEASUREMENTS: u64 = 6;

/// A store of which epochs are filled, all but the first and the last ones.
fn made(location: &Location, codecs: Codecs) -> LightCurveStore {
    let new = NewStore::flux(OBJECTS, EPOCHS, MEASUREMENTS).cut(Cut::EpochOptimized).codecs(codecs);
    new.create(location, (false, &Opener::auto())).unwrap();
    let store = LightCurveStore::open(location, &Opener::auto()).unwrap();
    for epoch in 20..EPOCHS - 10 {
        let value = |k: u64| f32::from(u16::try_from((k * 7 + epoch * 13) % 1009).unwrap());
        let values: Vec<u8> = (0..OBJECTS * MEASUREMENTS).flat_map(|k| value(k).to_ne_bytes()).collect();
        let (objects, measurements) = (Picked::All, Picked::All);
        let night = Contribution { epoch, objects, measurements, values: &[("flux", &values)] };
        store.fill(&night, &FillOptions { run: "test", ..FillOptions::default() }).unwrap();
    }
    store
}

fn advise(store: &LightCurveStore, mix: Option<&NamedMix>, reader: Reader) -> Vec<LayoutAdvice> {
    let place = StoreProfile::built_in("nvme").unwrap();
    store.advise(&AdviceOptions { mix, reader, place: &place, memory_bytes_max: 256 << 20 }).unwrap()
}

/// Requests and bytes of some reads of a kind, on average; the reader is new for each.
fn measured(
    location: &Location,
    objects: &[u64],
    (measurements, epochs): (Picked<'_>, Picked<'_>),
) -> [f64; 2] {
    const READS: u64 = 8;
    let counters = Arc::new(IoCounters::default());
    let counted = counters.clone();
    let io = Opener::auto().wrapped(move |store| counting(store, &counted));
    let store = LightCurveStore::open(location, &io).unwrap();
    let before = counters.counts();
    for k in 0..READS {
        let moved: Vec<u64> = objects.iter().map(|object| (object + 487 * k) % OBJECTS).collect();
        let all = moved.is_empty();
        let objects = if all { Picked::All } else { Picked::List(&moved) };
        let wanted = Wanted { objects, measurements: measurements.clone(), epochs: epochs.clone() };
        store.read("flux", &wanted).unwrap();
    }
    let after = counters.counts();
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    [after.reads - before.reads, after.read_bytes - before.read_bytes].map(|sum| sum as f64 / READS as f64)
}

#[test]
fn reads_take_what_was_predicted() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let check = |name: &str, codecs: Codecs, reader: Reader| {
        let [old, new] =
            ["old", "new"].map(|kind| Location::Path(dir.path().join(format!("{name}-{kind}.zarr"))));
        let store = made(&old, codecs);
        let advice = advise(&store, None, reader).swap_remove(0);
        assert_eq!(advice.arrays, ["flux", "flux_err"]);
        assert_eq!(advice.mix, "object+measurement=0.8,object~50+measurement=0.1,epoch=0.1");
        let Weighed { design, .. } = advice.proposed.as_ref().unwrap();
        let spec = |shape: &[u64]| shape.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        let mut request = Request::new(old.clone(), new.clone());
        request = request.chunks(&format!("flux:{}", spec(&design.chunk))).unwrap();
        let shard = design.shard.as_deref().map_or("none".to_owned(), spec);
        request = request.shards(&format!("flux:{shard}")).unwrap();
        run(prepare(request).unwrap(), &NoProgress).unwrap();
        let some: Vec<u64> = (0..50).map(|k| k * 61 % OBJECTS).collect();
        let kinds: [(&[u64], _); 3] = [
            (&[17], (Picked::List(&[3]), Picked::All)),
            (&some, (Picked::List(&[3]), Picked::All)),
            (&[], (Picked::All, Picked::Range(70..71))),
        ];
        for (k, (objects, others)) in kinds.into_iter().enumerate() {
            let of = |weighed: &Weighed| {
                let cost = weighed.accesses[k].cost;
                [cost.requests, cost.bytes]
            };
            let predicted = [of(&advice.today), of(advice.proposed.as_ref().unwrap())];
            let found = [&old, &new].map(|place| measured(place, objects, others.clone()));
            for what in 0..2 {
                let [before, after] = predicted.map(|of| of[what]);
                // Where they differ clearly, they do so in the same direction.
                if (before / after).ln().abs() > 0.3 {
                    let [before_found, after_found] = found.map(|of| of[what]);
                    let alike = (before > after) == (before_found > after_found);
                    assert!(alike, "{name} {k} {what}: {predicted:?} {found:?} {design:?}");
                }
            }
            // One light curve takes far fewer requests than before.
            assert!(k > 0 || found[1][0] * 5.0 < found[0][0], "{name}: {found:?}");
        }
    };
    check("packed", Codecs::Zstd(3), Reader::ZarrPython);
    check("plain", Codecs::None, Reader::Zarrange);
}

#[test]
fn what_is_good_stays_and_what_is_wrong_is_told() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let place = Location::Path(dir.path().join("store.zarr"));
    let mix = |text: &str| text.parse::<NamedMix>().unwrap();
    NewStore::flux(300, 40, 2).create(&place, (false, &Opener::auto())).unwrap();
    let store = LightCurveStore::open(&place, &Opener::auto()).unwrap();
    // Nothing is filled: compression is not known, and an epoch is in one chunk as it should.
    let advice = advise(&store, Some(&mix("epoch=1")), Reader::ZarrPython).swap_remove(0);
    assert!(advice.sampled_bytes.is_none() && advice.proposed.is_none(), "{advice:?}");
    assert_eq!(advice.today.speed.ratio.to_bits(), 1.0_f64.to_bits());
    let nvme = StoreProfile::built_in("nvme").unwrap();
    let check = |text: &str, expected: &str| {
        let asked = mix(text);
        let (mix, reader) = (Some(&asked), Reader::ZarrPython);
        let options = AdviceOptions { mix, reader, place: &nvme, memory_bytes_max: 1 << 20 };
        let error = store.advise(&options).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(matches!(error, LightCurveError::Layout { .. }), "{error:?}");
    };
    check("band=1", "\"band\" is none of the dimensions object, epoch, measurement");
    check("object~301=1", "from 1 to 300");
    check("object+object=1", "twice");
    check("object=1,object:1=2", "named twice, as number 1 and 2");
}

#[test]
fn a_sample_stays_within_the_memory() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let place = Location::Path(dir.path().join("store.zarr"));
    let store = made(&place, Codecs::Zstd(3));
    let nvme = StoreProfile::built_in("nvme").unwrap();
    let reader = Reader::ZarrPython;
    let with = |memory_bytes_max| {
        let advice = store.advise(&AdviceOptions { mix: None, reader, place: &nvme, memory_bytes_max });
        advice.map(|mut advice| advice.swap_remove(0)).map_err(|error| error.to_string())
    };
    let sampled = with(4 << 20).unwrap().sampled_bytes.unwrap();
    assert!(sampled <= 4 << 17, "{sampled}");
    let error = with(100_000).unwrap_err();
    assert!(error.contains("to read a chunk of") && error.contains("100000 at most"), "{error}");
}
