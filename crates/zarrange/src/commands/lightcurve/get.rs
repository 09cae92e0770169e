//! `zarrange lightcurve get`.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use zarrange_lightcurve::{Curves, LightCurveError, LightCurveStore, Query, When, Which};
use zarrange_table::{Cells, Field, OutputFormat, TableWriter};

use crate::args::lightcurve::{FormatArg, GetArgs, WhichArgs};
use crate::backend::opener;
use crate::commands::lightcurve::plot;
use crate::out::{self, note, one_line};
use crate::{memory, table};

/// What a list of objects may take in any case, and an object in it beside its label.
const LIST_BYTES: u64 = 2 << 20;
const LINE_BYTES: u64 = 128;

/// Bytes of rows that are written at once at least.
const GROUP_BYTES: usize = 2 << 20;

/// Rows of a table for people at most.
const SHOWN: usize = 1000;

pub(crate) fn run(args: &GetArgs) -> anyhow::Result<ExitCode> {
    let memory_bytes_max = memory::given(args.max_mem.map_or_else(memory::default_max, u64::from), 1)?;
    let (query, format) = (query(args, memory_bytes_max)?, format(args)?);
    let store = LightCurveStore::open(&args.store, &opener(args.io)?)?;
    let mut curves = store.curves(&query, memory_bytes_max)?;
    for name in curves.left_out() {
        note!("{} is left out: it holds no numbers", one_line(name));
    }
    // What cannot be written is known before a file is replaced.
    curves.shape(args.nested.as_deref())?;
    if let Some(path) = &args.plot {
        plot::draw(&mut curves, path, args.fold.map(|period| (period, args.phase_zero)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut write = |out: &mut (dyn Write + Send)| match format {
        None => for_people(&mut curves, out),
        Some(format) => as_table(&mut curves, (format, memory_bytes_max), args.nested.as_deref(), out),
    };
    if let Some(path) = &args.out {
        let failed = || path.display().to_string();
        let mut file = BufWriter::new(File::create(path).with_context(failed)?);
        write(&mut file)?;
        file.flush().with_context(failed)?;
    } else {
        let mut wrong = None;
        out::stream(|_| match write(&mut out::Stdout) {
            Ok(()) => Ok(()),
            Err(error) => error.downcast::<io::Error>().map_or_else(
                |error| {
                    wrong = Some(error);
                    Ok(())
                },
                Err,
            ),
        });
        wrong.map_or(Ok(()), Err)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is asked for, of which the list of objects is within an eighth of the memory.
fn query(args: &GetArgs, memory_bytes_max: u64) -> anyhow::Result<Query> {
    let epochs = match (args.from, args.to) {
        (None, None) if args.epoch.is_empty() => When::All,
        (None, None) => When::Labels(args.epoch.clone()),
        (from, to) => {
            When::Times { from: from.unwrap_or(f64::NEG_INFINITY), to: to.unwrap_or(f64::INFINITY) }
        }
    };
    Ok(Query {
        objects: which(&args.which, memory_bytes_max / 8)?,
        measurements: args.measurement.clone(),
        epochs,
        arrays: args.array.clone(),
        gaps: args.gaps,
        recorded: args.recorded,
    })
}

fn which(args: &WhichArgs, bytes_max: u64) -> anyhow::Result<Which> {
    Ok(match (&args.objects_from, args.cone, args.sky_box) {
        (Some(path), _, _) => Which::Labels(lines(path, bytes_max)?),
        (None, Some([ra, dec, radius]), _) => Which::Cone { ra, dec, radius },
        (None, None, Some([ra0, ra1, dec0, dec1])) => Which::Box { ra: [ra0, ra1], dec: [dec0, dec1] },
        (None, None, None) if args.all => Which::All,
        (None, None, None) if !args.number.is_empty() => Which::Numbers(args.number.clone()),
        (None, None, None) => Which::Labels(args.object.clone()),
    })
}

/// The lines of a file that are not empty, within so many bytes and a small list in any case.
fn lines(path: &Path, bytes_max: u64) -> anyhow::Result<Vec<String>> {
    let failed = || path.display().to_string();
    let file: Box<dyn io::Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).with_context(failed)?)
    };
    let bytes_max = bytes_max.max(LIST_BYTES);
    let (mut file, mut lines, mut left) = (BufReader::new(file), Vec::new(), bytes_max);
    loop {
        let mut line = String::new();
        let read = (&mut file).take(left.saturating_add(1)).read_line(&mut line).with_context(failed)?;
        if read == 0 {
            return Ok(lines);
        }
        let label = line.trim();
        let bytes = (read as u64).saturating_add(if label.is_empty() { 0 } else { LINE_BYTES });
        if bytes > left {
            let what = format!("{}: a list of more than {} objects", path.display(), lines.len());
            return Err(
                LightCurveError::Room { what, needed: bytes_max.saturating_mul(16), bytes_max }.into()
            );
        }
        if !label.is_empty() {
            left -= bytes;
            lines.push(label.to_owned());
        }
    }
}

/// How rows are written; nothing for people.
fn format(args: &GetArgs) -> anyhow::Result<Option<OutputFormat>> {
    let format = match (args.format, &args.out) {
        (Some(FormatArg::Table), _) | (None, None) => None,
        (Some(FormatArg::Csv), _) => Some(OutputFormat::Csv),
        (Some(FormatArg::Json), _) => Some(OutputFormat::Json),
        (Some(FormatArg::Jsonl), _) => Some(OutputFormat::JsonLines),
        (Some(FormatArg::Parquet), _) => Some(OutputFormat::Parquet),
        (Some(FormatArg::Arrow), _) => Some(OutputFormat::Arrow),
        (None, Some(path)) => match path.extension().and_then(|extension| extension.to_str()) {
            Some("txt") => None,
            Some("feather") => Some(OutputFormat::Arrow),
            name => {
                let known = name.and_then(|name| name.parse().ok());
                let unknown = || format!("{}: its name says no format: say it with --format", path.display());
                Some(known.with_context(unknown)?)
            }
        },
    };
    ensure!(
        args.nested.is_none() || format.is_some(),
        "a table for people has no lists: choose a format with --format"
    );
    ensure!(
        args.nested.is_none() || format != Some(OutputFormat::Csv),
        "CSV has no lists: leave out --nested, or choose another format"
    );
    let text = format.is_none_or(OutputFormat::is_text);
    ensure!(text || args.out.is_some(), "this format is no text: name a file with --out");
    Ok(format)
}

fn as_table(
    curves: &mut Curves<'_>,
    (format, memory_bytes_max): (OutputFormat, u64),
    nested: Option<&str>,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    // An eighth is for what is written at once.
    let group = usize::try_from(memory_bytes_max / 8).unwrap_or(usize::MAX).max(GROUP_BYTES);
    let mut writer = TableWriter::create(out, format, curves.shape(nested)?)?.within(group);
    while let Some(part) = curves.read()? {
        match nested {
            // The object stands beside its list.
            Some(_) => writer.write_nested(&[part.objects], &part.rows[1..], &part.lengths)?,
            None => writer.write(&part.rows)?,
        }
    }
    writer.finish()?;
    Ok(())
}

/// The first rows as a table, and how many more there are.
fn for_people(curves: &mut Curves<'_>, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    let header: Vec<String> = curves.fields().iter().map(title).collect();
    let mut shown = table::new(&header.iter().map(String::as_str).collect::<Vec<_>>());
    let (mut rows, mut more) = (0, 0);
    while let Some(part) = curves.read()? {
        let count = part.rows.first().map_or(0, Cells::len);
        for row in 0..count.min(SHOWN - rows) {
            shown.add_row(part.rows.iter().map(|cells| one_line(&cells.text(row)).into_owned()));
        }
        more += count - count.min(SHOWN - rows);
        rows += count.min(SHOWN - rows);
    }
    writeln!(out, "{shown}")?;
    if more > 0 {
        let more = table::count(more as u64);
        writeln!(out, "and {more} more rows: --out FILE.csv or --format csv writes all of them")?;
    }
    Ok(())
}

/// The name of a column with its unit.
fn title(field: &Field) -> String {
    let unit = field.unit.as_ref().map(|unit| format!(" ({unit})"));
    one_line(&format!("{}{}", field.name, unit.unwrap_or_default())).into_owned()
}
