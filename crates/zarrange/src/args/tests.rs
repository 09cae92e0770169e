use super::*;

#[test]
fn the_command_line_is_consistent() {
    Args::command().debug_assert();
}

/// The words of a line as bash makes them, of which nothing is quoted in another way, up to a redirection.
fn words(line: &str) -> Vec<OsString> {
    let mut words = vec![String::new()];
    for (k, part) in line.split(" > ").next().unwrap().split('\'').enumerate() {
        let quoted = k % 2 == 1;
        for (k, piece) in part.split(|c| c == ' ' && !quoted).enumerate() {
            if k > 0 {
                words.push(String::new());
            }
            words.last_mut().unwrap().push_str(piece);
        }
    }
    words.into_iter().map(Into::into).collect()
}

#[test]
fn every_command_has_examples_that_are_understood() {
    fn check(command: &clap::Command, path: &str) {
        let commands: Vec<_> = command.get_subcommands().collect();
        for inside in &commands {
            check(inside, &format!("{path} {}", inside.get_name()));
        }
        if !commands.is_empty() {
            return;
        }
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let lines: Vec<&str> = help.lines().filter_map(|line| line.strip_prefix("  ")).collect();
        assert!((2..=4).contains(&lines.len()), "{path} has {} examples", lines.len());
        for line in lines {
            assert!(
                line.starts_with(&format!("{path} ")) || line == path,
                "{line:?} is no example of {path}"
            );
            let understood = Args::command().try_get_matches_from(words(line));
            assert!(understood.is_ok(), "{line}: {}", understood.unwrap_err());
        }
    }
    check(&Args::command(), "zarrange");
}

/// The line, and all of it that a command made of it, or a part of the error.
#[test]
fn places_may_stand_behind_options_with_several_values() {
    let places = |line: &str| -> Result<Vec<String>, String> {
        let (args, _) = Args::of(words(&format!("zarrange {line}"))).map_err(|error| error.to_string())?;
        Ok(match args.command {
            Command::Rechunk(args) => {
                let specs = args.request.chunks.iter().chain(&args.request.shards).map(ToString::to_string);
                let places = [args.src, args.dst].map(|place| place.to_string());
                places.into_iter().chain(specs).chain(args.request.array).chain(args.request.skip).collect()
            }
            Command::Lightcurve { command: LightcurveCommand::Fill(args) } => {
                let tables = args.tables.iter().map(|path| path.display().to_string());
                std::iter::once(args.store.to_string()).chain(tables).collect()
            }
            other => panic!("{other:?}"),
        })
    };
    let check = |line: &str, expected: Result<&str, &str>| match (places(line), expected) {
        (Ok(found), Ok(expected)) => assert_eq!(found.join(" "), expected, "{line}"),
        (Err(error), Err(part)) => assert!(error.contains(part), "{line}: {error}"),
        (found, _) => panic!("{line}: {found:?}"),
    };
    check("rechunk --chunks 1,500 a.zarr b.zarr", Ok("a.zarr b.zarr 1,500"));
    check("rechunk --chunks a:1 b:-1,2 a.zarr b.zarr --direct", Ok("a.zarr b.zarr a:1 b:-1,2"));
    check("rechunk --chunks -1,64 a.zarr --shards 5 6 b.zarr", Ok("a.zarr b.zarr -1,64 5 6"));
    check("rechunk a.zarr --chunks 1 --profile object b.zarr", Ok("a.zarr b.zarr 1"));
    check("rechunk --for object=1 a.zarr b.zarr", Ok("a.zarr b.zarr"));
    check("rechunk --codecs zstd:3 a.zarr b.zarr", Ok("a.zarr b.zarr"));
    check("rechunk --array mag time -- a.zarr b.zarr", Ok("a.zarr b.zarr mag time"));
    check("lightcurve fill --at epoch=3 s.zarr t.csv", Ok("s.zarr t.csv"));
    check("lightcurve fill s.zarr --columns flux[g]=F a=b t.csv u.csv", Ok("s.zarr t.csv u.csv"));
    let tip = |option: &str| format!("tip: --{option} takes every word up to the next option: write what");
    for (line, option) in [
        ("rechunk --array mag a.zarr b.zarr", "array"),
        ("rechunk a.zarr --skip mag b.zarr", "skip"),
        ("rechunk --chunks 1 keep b.zarr", "chunks"),
        ("rechunk --chunks 1 2 3", "chunks"),
        ("lightcurve get --all --measurement g s.zarr", "measurement"),
        ("lightcurve get --all --nested s.zarr --out a.arrow", "nested"),
    ] {
        check(line, Err(&tip(option)));
    }
    // Where nothing is missing, a word that can be no value is a wrong one.
    check("rechunk a.zarr b.zarr --chunks a:1 b:2x", Err("invalid value 'b:2x' for '--chunks <SPEC>...'"));
    check("lightcurve fill s.zarr t.csv --at epoch=3 measurement", Err("invalid value 'measurement'"));
    check("rechunk --chunks a.zarr b.zarr", Err("invalid value 'a.zarr' for '--chunks"));
    check("rechunk --array mag a.zarr b.zarr --chunks", Err("a value is required for '--chunks"));
}

#[test]
fn how_much_is_said_holds_for_every_command() {
    let check = |line: &str, expected: Result<Level, &str>| {
        let found = Args::of(words(&format!("zarrange {line}"))).map(|(args, _)| args.level());
        match (found.map_err(|error| error.to_string()), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{line}"),
            (Err(error), Err(part)) => assert!(error.contains(part), "{line}: {error}"),
            (found, _) => panic!("{line}: {found:?}"),
        }
    };
    for command in ["demo", "rechunk a b", "info a", "lightcurve sync a", "man pages", "finish p.json"] {
        check(command, Ok(Level::Usual));
        check(&format!("-q {command}"), Ok(Level::Quiet));
        check(&format!("{command} --quiet"), Ok(Level::Quiet));
        check(&format!("--verbose {command}"), Ok(Level::Verbose));
        check(&format!("{command} -v"), Ok(Level::Verbose));
        check(&format!("-q {command} -v"), Err("--quiet cannot be used with --verbose"));
        check(&format!("{command} -qv"), Err("--quiet cannot be used with --verbose"));
    }
    check("lightcurve -q sync a", Ok(Level::Quiet));
    check("rechunk a b -q --progress always", Err("--quiet cannot be used with --progress always"));
    check("rechunk a b -q --progress never", Ok(Level::Quiet));
}
