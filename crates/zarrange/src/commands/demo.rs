//! `zarrange demo`: the mission in one command.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, bail};
use zarrange_array::{Node, ReadCost};
use zarrange_grid::{Dims, Region};
use zarrange_io::{Location, Opener};
use zarrange_lightcurve::{Survey, write_survey};
use zarrange_plan::bytes_text;
use zarrange_rechunk::{
    ChunkSpec, Durability, Named, Progress, Request, Verify, prepare, run as run_job, shell_path,
};

use crate::args::{DemoArgs, ProgressArg};
use crate::backend::opener;
use crate::out::{notes, one_line, say, tell};
use crate::progress::Bar;
use crate::{memory, signals, table};

const RECIPE: &str = include_str!("../../../../datasets/photometry.toml");

/// The file that says that a directory is one of the demo: it is made first, and only beside nothing.
const MARK: &str = ".zarrange-demo";

/// The arrays that the demo makes.
const ARRAYS: [&str; 3] = ["by-epoch.zarr", "by-object.zarr", "sharded.zarr"];

/// Objects of a shard.
const SHARD_OBJECTS: u64 = 1000;

/// Magnitude and error.
const VALUES: u64 = 2;

pub(crate) fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    let mut survey = Survey::parse(RECIPE)?;
    survey.objects = args.objects.unwrap_or(survey.objects);
    survey.epochs = args.epochs.unwrap_or(survey.epochs);
    let (objects, epochs) = (survey.objects, survey.epochs);
    let io = opener(args.io)?;
    let place = |name: &str| Location::Path(args.dir.join(name));
    signals::writing();
    take(&args.dir, args.overwrite)?;
    tell!(
        "Photometry of {} objects at {} epochs, magnitude and error: {} of float32.\n",
        table::count(objects),
        table::count(epochs),
        bytes_text(objects * epochs * VALUES * 4)
    );
    let overwrite = args.overwrite;
    let [source, target, sharded] = ARRAYS.map(place);
    step("A telescope adds one epoch of all objects at a time", || fill(&survey, &source, overwrite, &io))?;
    let by_object = [1, epochs, VALUES];
    let shard = [SHARD_OBJECTS.min(objects), epochs, VALUES];
    step("Rechunk: one chunk for each object, verified", || {
        rechunk((&source, &target), &by_object, None, overwrite, &io)
    })?;
    step("Rechunk: the same chunks in shards, verified", || {
        rechunk((&source, &sharded), &by_object, Some(&shard), overwrite, &io)
    })?;

    tell!("\nWhat it costs to read (measured on the stored arrays):\n");
    let mut out = table::new(&[
        "layout",
        "files",
        "stored",
        "one epoch: chunks",
        "requests",
        "bytes",
        "one object: chunks",
        "requests",
        "bytes",
    ]);
    for (name, location) in
        [("one epoch a chunk", &source), ("one object a chunk", &target), ("objects in shards", &sharded)]
    {
        out.add_row(costs(name, location, &survey, &io)?);
    }
    say!("{out}");
    let useful = objects * VALUES * 4;
    tell!(
        "\nUseful are {} of an epoch and {} of an object, before compression.\nThe arrays are in {}; look at one with: \
         zarrange info {}",
        bytes_text(useful),
        bytes_text(epochs * VALUES * 4),
        one_line(&args.dir.display().to_string()),
        shell_path(&args.dir.join("sharded.zarr"))
    );
    Ok(ExitCode::SUCCESS)
}

/// Takes a directory that is new, empty, or one of the demo; what is in it is only replaced if that is wanted.
fn take(dir: &Path, overwrite: bool) -> anyhow::Result<()> {
    let named = || dir.display().to_string();
    fs::create_dir_all(dir).with_context(named)?;
    let mark = dir.join(MARK);
    if !mark.symlink_metadata().is_ok_and(|mark| mark.is_file()) {
        if fs::read_dir(dir).with_context(named)?.next().is_some() {
            bail!("{} is not empty, and not of a demo: choose another --dir", named());
        }
        let made = fs::OpenOptions::new().write(true).create_new(true).open(&mark);
        // Another demo may have begun this very moment; it is the one that goes on.
        if let Err(error) = made {
            let begun = error.kind() == ErrorKind::AlreadyExists;
            return Err(if begun {
                anyhow::anyhow!("{} was taken by another demo", named())
            } else {
                error.into()
            });
        }
    }
    let there = ARRAYS.into_iter().find(|name| dir.join(name).symlink_metadata().is_ok());
    match there.filter(|_| !overwrite) {
        None => Ok(()),
        Some(name) => bail!(
            "{} is there already: replace what the demo before has made with --overwrite, or choose another --dir",
            dir.join(name).display()
        ),
    }
}

/// Tells what is done and how long it took.
fn step(what: &str, work: impl FnOnce() -> anyhow::Result<String>) -> anyhow::Result<()> {
    let begin = Instant::now();
    let done = work()?;
    tell!("{what}: {done}, {:.2} s", begin.elapsed().as_secs_f64());
    Ok(())
}

/// Writes the survey epoch by epoch.
fn fill(survey: &Survey, location: &Location, overwrite: bool, io: &Opener) -> anyhow::Result<String> {
    let bar = Bar::new(ProgressArg::Auto);
    bar.begin("fill", survey.epochs);
    let warnings = write_survey(survey, location, (overwrite, io), &mut |epochs| bar.advance(epochs))?;
    drop(bar);
    notes(&warnings);
    Ok(format!("{} chunks", table::count(survey.epochs)))
}

fn rechunk(
    (source, target): (&Location, &Location),
    chunk: &[u64],
    shard: Option<&[u64]>,
    overwrite: bool,
    io: &Opener,
) -> anyhow::Result<String> {
    let spec = |shape: &[u64]| -> anyhow::Result<Named> {
        let sizes = shape.iter().map(|n| i64::try_from(*n)).collect::<Result<_, _>>()?;
        Ok(Named { array: None, spec: ChunkSpec::Sizes(sizes) })
    };
    let request = Request {
        chunks: vec![spec(chunk)?],
        shards: shard.map(spec).transpose()?.into_iter().collect(),
        memory_bytes_max: memory::given(memory::default_max(), memory::threads())?,
        threads: memory::threads(),
        verify: Verify::Full,
        durability: Durability::None,
        overwrite,
        io: io.clone(),
        ..Request::new(source.clone(), target.clone())
    };
    let prepared = prepare(request)?;
    notes(&prepared.notes());
    let report = run_job(prepared, &Bar::new(ProgressArg::Auto))?;
    notes(&report.warnings);
    Ok(format!("{}, {} chunks", report.cost.strategy, table::count(report.cost.counts.target_chunks)))
}

/// A row of the table: what one epoch and one object cost in a layout.
fn costs(name: &str, location: &Location, survey: &Survey, io: &Opener) -> anyhow::Result<Vec<String>> {
    let store = io.open(location)?;
    let Node::Array(array) = zarrange_array::open(&store)? else {
        anyhow::bail!("{location} is not an array")
    };
    let (mut files, mut stored) = (0, 0);
    store.walk("", &mut |key, bytes| {
        if Path::new(key).file_name().is_some_and(|n| n != "zarr.json") {
            files += 1;
            stored += bytes;
        }
    })?;
    let region =
        |start: [u64; 3], shape: [u64; 3]| Region::new(Dims::from_slice(&start), Dims::from_slice(&shape));
    let (_, epoch) = array.read_region(&region([0, survey.epochs / 2, 0], [survey.objects, 1, VALUES]))?;
    let (_, object) = array.read_region(&region([survey.objects / 2, 0, 0], [1, survey.epochs, VALUES]))?;
    let cells =
        |cost: ReadCost| [table::count(cost.chunks), table::count(cost.requests), bytes_text(cost.bytes)];
    let mut row = vec![name.to_owned(), table::count(files), bytes_text(stored)];
    row.extend(cells(epoch));
    row.extend(cells(object));
    Ok(row)
}
