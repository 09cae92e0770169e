//! `zarrange lightcurve get`.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use zarrange_lightcurve::{Curves, LightCurveStore, Query, When, Which};
use zarrange_table::{Cells, Field, OutputFormat, TableWriter};

use crate::args::lightcurve::{FormatArg, GetArgs, WhichArgs};
use crate::backend::opener;
use crate::out::{self, one_line};
use crate::{memory, table};

/// Rows of a table for people at most.
const SHOWN: usize = 1000;

pub(crate) fn run(args: &GetArgs) -> anyhow::Result<ExitCode> {
    let memory_bytes_max = memory::given(args.max_mem.map_or_else(memory::default_max, u64::from), 1)?;
    let query = query(args)?;
    let format = format(args)?;
    let store = LightCurveStore::open(&args.store, &opener(args.io)?)?;
    let mut curves = store.curves(&query, memory_bytes_max)?;
    if let Some(path) = &args.out {
        let failed = || path.display().to_string();
        let mut file = BufWriter::new(File::create(path).with_context(failed)?);
        write(&mut curves, format, &mut file)?;
        file.flush().with_context(failed)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut wrong = None;
    out::stream(|out| {
        // What goes wrong with stdout is dealt with there.
        match write(&mut curves, format, out).map_err(anyhow::Error::downcast::<io::Error>) {
            Ok(()) => Ok(()),
            Err(Ok(error)) => Err(error),
            Err(Err(error)) => {
                wrong = Some(error);
                Ok(())
            }
        }
    });
    wrong.map_or(Ok(()), Err)?;
    Ok(ExitCode::SUCCESS)
}

/// What is asked for.
fn query(args: &GetArgs) -> anyhow::Result<Query> {
    let epochs = match (args.from, args.to) {
        (None, None) if args.epoch.is_empty() => When::All,
        (None, None) => When::Labels(args.epoch.clone()),
        (from, to) => {
            When::Times { from: from.unwrap_or(f64::NEG_INFINITY), to: to.unwrap_or(f64::INFINITY) }
        }
    };
    Ok(Query {
        objects: which(&args.which)?,
        measurements: args.measurement.clone(),
        epochs,
        arrays: args.array.clone(),
        gaps: args.gaps,
        recorded: args.recorded,
    })
}

fn which(args: &WhichArgs) -> anyhow::Result<Which> {
    Ok(match (&args.objects_from, args.cone, args.sky_box) {
        (Some(path), _, _) => Which::Labels(lines(path).with_context(|| path.display().to_string())?),
        (None, Some([ra, dec, radius]), _) => Which::Cone { ra, dec, radius },
        (None, None, Some([ra0, ra1, dec0, dec1])) => Which::Box { ra: [ra0, ra1], dec: [dec0, dec1] },
        (None, None, None) if args.all => Which::All,
        (None, None, None) if !args.number.is_empty() => Which::Numbers(args.number.clone()),
        (None, None, None) => Which::Labels(args.object.clone()),
    })
}

/// The lines of a file that are not empty.
fn lines(path: &Path) -> io::Result<Vec<String>> {
    let file: Box<dyn io::Read> =
        if path == Path::new("-") { Box::new(io::stdin().lock()) } else { Box::new(File::open(path)?) };
    let lines = BufReader::new(file).lines().map(|line| line.map(|line| line.trim().to_owned()));
    lines.filter(|line| line.as_ref().map_or(true, |line| !line.is_empty())).collect()
}

fn format(args: &GetArgs) -> anyhow::Result<FormatArg> {
    if let Some(format) = args.format {
        return Ok(format);
    }
    let Some(path) = &args.out else { return Ok(FormatArg::Table) };
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => Ok(FormatArg::Csv),
        Some("json") => Ok(FormatArg::Json),
        Some("jsonl") => Ok(FormatArg::Jsonl),
        Some("txt") => Ok(FormatArg::Table),
        _ => bail!("{}: its name says no format: say it with --format", path.display()),
    }
}

fn write(curves: &mut Curves<'_>, format: FormatArg, out: &mut dyn Write) -> anyhow::Result<()> {
    let format = match format {
        FormatArg::Table => return for_people(curves, out),
        FormatArg::Csv => OutputFormat::Csv,
        FormatArg::Json => OutputFormat::Json,
        FormatArg::Jsonl => OutputFormat::JsonLines,
    };
    let mut writer = TableWriter::new(out, format, curves.fields())?;
    while let Some(part) = curves.read()? {
        writer.write(&part.rows)?;
    }
    writer.finish()?;
    Ok(())
}

/// The first rows as a table, and how many more there are.
fn for_people(curves: &mut Curves<'_>, out: &mut dyn Write) -> anyhow::Result<()> {
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
