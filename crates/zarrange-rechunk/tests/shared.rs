//! Plans that several workers carry out: the bytes are those of one process, whatever ends a worker or whoever finishes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::ops::Range;
use std::path::{Path, PathBuf};

use support::create;
use support::ways::{Case, SHAPE, cases, digest};
use tempfile::TempDir;
use twox_hash::XxHash3_128;
use zarrange_io::wrappers::faults::{Fault, Faults, faulty};
use zarrange_io::{Location, Opener};
use zarrange_plan::Way;
use zarrange_rechunk::{
    Durability, Foreign, NoProgress, PlanFile, Request, Share, SharedError, SharedRun, Verify, prepare,
    prepare_planned, run, run_resumable,
};

/// So little that every way has several parts.
const PART_BYTES: u64 = 2000;

/// A plan for a target in a folder of its own (where another one lies, if it is to be replaced), and what one process makes.
struct Shared {
    dir: TempDir,
    source: Location,
    plan: PlanFile,
    whole: String,
}

impl Shared {
    fn new(case: &Case, change: impl Fn(Request) -> Request) -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let at = |name: &str| Location::Path(dir.path().join(name));
        let source = create(&SHAPE, &case.source);
        let request =
            |to: &Location| Request { part_bytes: PART_BYTES, ..change(case.request(&source, to, 2)) };
        let whole = support::place();
        run(prepare(Request { temp: None, ..request(&whole) }).unwrap(), &NoProgress).unwrap();
        let request = request(&at("target.zarr"));
        if request.overwrite {
            std::fs::create_dir(dir.path().join("target.zarr")).unwrap();
            let old = r#"{"zarr_format": 3, "node_type": "group", "attributes": {"old": 1}}"#;
            std::fs::write(dir.path().join("target.zarr/zarr.json"), old).unwrap();
        }
        let mut file = Vec::new();
        prepare(request).unwrap().write_plan(&mut file).unwrap();
        let plan = PlanFile::parse(&file).unwrap();
        Self { source, plan, whole: digest(&whole, true), dir }
    }

    fn join(&self, io: &Opener) -> Result<SharedRun, SharedError> {
        SharedRun::join(&self.plan, io)
    }

    /// Does everything, in `of` shares, those of each stage from the last to the first.
    fn work(&self, of: u64) -> Result<(), SharedError> {
        let stages = self.join(&Opener::default())?.status()?.len() as u64;
        self.work_on(0..stages, of)
    }

    fn work_on(&self, stages: Range<u64>, of: u64) -> Result<(), SharedError> {
        let io = Opener::default();
        for stage in stages {
            for index in (0..of).rev() {
                self.join(&io)?.work(stage, Share { index, of }, &NoProgress)?;
            }
        }
        Ok(())
    }

    /// The target is what one process makes, and nothing else is there.
    fn check(&self, what: &str) {
        let target = Location::Path(self.dir.path().join("target.zarr"));
        assert_eq!(digest(&target, true), self.whole, "{what}");
        assert_eq!(names(self.dir.path()), ["target.zarr"], "{what}");
    }
}

fn names(dir: &Path) -> Vec<String> {
    let names = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = names.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn finish(shared: &Shared) {
    let io = Opener::default();
    SharedRun::open(&shared.plan, &io).unwrap().finish(&NoProgress).unwrap();
}

/// In shares of all kinds, some of them done twice.
#[test]
fn workers_make_what_one_process_makes() {
    let (mut parts, mut several) = (0, 0);
    for case in &cases() {
        let all = [(1, Verify::None), (3, Verify::Full), (2, Verify::Digest), (1000, Verify::Sample)];
        for (of, verify) in all {
            let shared = Shared::new(case, |request| request.verified(verify));
            shared.work(of).unwrap();
            let status = SharedRun::open(&shared.plan, &Opener::default()).unwrap().status().unwrap();
            assert!(status.iter().all(|stage| stage.done == stage.parts), "{}: {status:?}", case.name());
            shared.work(2).unwrap();
            assert!(!SharedRun::is_finished(&shared.plan, &Opener::default()).unwrap());
            finish(&shared);
            shared.check(&case.name());
            assert!(SharedRun::is_finished(&shared.plan, &Opener::default()).unwrap());
            parts += status.iter().map(|stage| stage.parts).sum::<u64>();
            several += u64::from(status[0].parts > 1);
        }
    }
    assert!(several > 30 && parts > 300, "{several} of several parts, {parts} parts");
}

/// What lies in the target by the time that it is checked is not what was read of the source: that is told, with the place, and the target
/// does not appear. When it is what it should be again, all ends well.
#[test]
fn what_was_damaged_is_not_published() {
    let mut found = [0, 0];
    for case in &cases() {
        for (verify, swaps) in
            [Verify::Digest, Verify::Full].into_iter().flat_map(|verify| [(verify, true), (verify, false)])
        {
            let shared = Shared::new(case, |request| request.verified(verify));
            let io = Opener::default();
            let run = shared.join(&io).unwrap();
            let checking = run.stages() - 1;
            shared.work_on(0..checking, 2).unwrap();
            let folder = shared.dir.path().join(&names(shared.dir.path())[0]).join("target");
            let chunks = files(&folder);
            let bytes = std::fs::read(&chunks[0]).unwrap();
            // With what would be right elsewhere, or with what can be nothing.
            let wrong = match chunks.get(1).filter(|_| swaps) {
                Some(other) => std::fs::read(other).unwrap(),
                None => bytes[1..].to_vec(),
            };
            std::fs::write(&chunks[0], &wrong).unwrap();
            let worked = shared.work_on(checking..checking + 1, 2);
            let ended = worked.and_then(|()| shared.join(&io)?.finish(&NoProgress).map(drop));
            let Err(error) = ended else { panic!("{}: {verify}", case.name()) };
            let told = error.to_string();
            found[usize::from(told.starts_with("verification failed: the root: element"))] += 1;
            assert!(!shared.dir.path().join("target.zarr").exists(), "{}", case.name());
            std::fs::write(&chunks[0], &bytes).unwrap();
            shared.work(3).unwrap();
            finish(&shared);
            shared.check(&case.name());
        }
    }
    let [unreadable, different] = found;
    assert!(unreadable > 5 && different > 20, "{found:?}");
}

/// A chunk that is gone or cut off, and nobody compares: it is told all the same.
#[test]
fn what_was_lost_is_not_published() {
    for case in &cases() {
        let shared = Shared::new(case, |request| request);
        let io = Opener::default();
        shared.work(2).unwrap();
        let folder = shared.dir.path().join(&names(shared.dir.path())[0]).join("target");
        let chunk = files(&folder).swap_remove(0);
        let bytes = std::fs::read(&chunk).unwrap();
        let damages: [&dyn Fn(); 3] = [
            &|| std::fs::write(&chunk, &bytes[1..]).unwrap(),
            &|| std::fs::write(&chunk, []).unwrap(),
            &|| std::fs::remove_file(&chunk).unwrap(),
        ];
        for damage in damages {
            damage();
            let ended = shared.join(&io).unwrap().finish(&NoProgress);
            assert!(matches!(ended, Err(SharedError::Lost { .. })), "{}: {ended:?}", case.name());
        }
        std::fs::write(&chunk, &bytes).unwrap();
        finish(&shared);
        shared.check(&case.name());
    }
}

/// The files below a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// What one process counts, workers count together.
#[test]
fn receipts_tell_what_was_written() {
    for case in &cases() {
        let shared = Shared::new(case, |request| request);
        shared.work(4).unwrap();
        let counts =
            SharedRun::open(&shared.plan, &Opener::default()).unwrap().finish(&NoProgress).unwrap().counts;
        let to = support::place();
        let alone = run(prepare(case.request(&shared.source, &to, 2)).unwrap(), &NoProgress).unwrap();
        let alone = alone.cost.counts;
        assert_eq!(
            (counts.target_chunks, counts.fill_chunks, counts.bytes_written),
            (alone.target_chunks, alone.fill_chunks, alone.bytes_written),
            "{}",
            case.name()
        );
    }
}

/// Cases that differ in how they write.
fn some_cases() -> Vec<Case> {
    let all = cases().into_iter().enumerate();
    all.filter(|(k, case)| matches!(k, 1 | 2 | 5 | 6) || case.way == Way::Staged2)
        .map(|(_, case)| case)
        .collect()
}

/// Whichever call ends a worker, or who finishes: no target is there before it is right, and the same calls end right.
#[test]
fn any_call_may_end_it() {
    let mut ended = [0, 0];
    for case in &some_cases() {
        for overwrite in [false, true] {
            for step in (0..).step_by(7) {
                let shared = Shared::new(case, |request| Request { overwrite, ..request });
                let target = shared.dir.path().join("target.zarr");
                let faults = Faults::new(Fault::Fail(5), step);
                let wrap = faults.clone();
                let io = Opener::default().wrapped(move |store| faulty(store, &wrap));
                let worked = (|| {
                    let stages = shared.join(&io)?.status()?.len() as u64;
                    (0..stages).try_for_each(|stage| {
                        shared.join(&io)?.work(stage, Share::ALL, &NoProgress).map(drop)
                    })
                })();
                let old = |what: &str| {
                    let there = std::fs::read_to_string(target.join("zarr.json"));
                    assert!(
                        there.as_ref().map_or(!overwrite, |text| text.contains("old")),
                        "{}, call {step}, {what}: {there:?}",
                        case.name()
                    );
                };
                old("while workers are at it");
                ended[0] += u64::from(worked.is_err());
                shared.work(2).unwrap();
                old("before it is finished");
                let finished = SharedRun::open(&shared.plan, &io).and_then(|run| run.finish(&NoProgress));
                ended[1] += u64::from(worked.is_ok() && finished.is_err());
                if SharedRun::is_finished(&shared.plan, &Opener::default()).unwrap() {
                    SharedRun::give_up(&shared.plan, &Opener::default()).unwrap();
                } else {
                    finish(&shared);
                }
                shared.check(&format!("{}, call {step}, {overwrite}", case.name()));
                if faults.calls() <= step {
                    break;
                }
            }
        }
    }
    assert!(ended[0] > 30 && ended[1] > 10, "{ended:?}");
}

/// Receipts that did not wait for the disk count as long as the machine runs.
#[test]
fn what_a_machine_had_in_memory_is_not_trusted_when_it_was_started_anew() {
    let case = &some_cases()[0];
    for (durability, kept) in [(Durability::None, false), (Durability::Commit, true)] {
        let shared = Shared::new(case, |request| Request { durability, ..request });
        shared.work(1).unwrap();
        let receipts = shared.dir.path().join(&names(shared.dir.path())[0]).join("receipts");
        let boot = zarrange_io::Machine::this().boot;
        for name in names(&receipts) {
            let text = std::fs::read_to_string(receipts.join(&name)).unwrap();
            assert_eq!(text.contains(&boot), !kept);
            // As the machine before wrote it.
            let resum = |line: &str| {
                let text = line.split_once(' ').unwrap().1.replace(&boot, "another");
                format!("{:032x} {text}\n", XxHash3_128::oneshot(text.as_bytes()))
            };
            std::fs::write(receipts.join(&name), text.lines().map(resum).collect::<String>()).unwrap();
        }
        let status = SharedRun::open(&shared.plan, &Opener::default()).unwrap().status().unwrap();
        assert!(status.iter().all(|stage| stage.done == if kept { stage.parts } else { 0 }), "{status:?}");
        shared.work(1).unwrap();
        finish(&shared);
        shared.check("after all");
    }
}

/// A run that can be resumed is ended by whichever call; the same request goes on, and does not do again what was done.
#[test]
fn what_ended_is_resumed() {
    let (mut ended, mut kept) = (0, 0);
    for case in &some_cases() {
        for overwrite in [false, true] {
            for step in (0..).step_by(7) {
                let shared = Shared::new(case, |request| Request { overwrite, ..request });
                let to = Location::Path(shared.dir.path().join("target.zarr"));
                let resumed = |io: Opener| {
                    let request = case.request(&shared.source, &to, 2);
                    let request = Request { part_bytes: PART_BYTES, joins: true, overwrite, io, ..request };
                    run_resumable(prepare(request)?, &NoProgress)
                };
                let faults = Faults::new(Fault::Fail(5), step);
                let wrap = faults.clone();
                let first = resumed(Opener::default().wrapped(move |store| faulty(store, &wrap)));
                if first.is_err() {
                    ended += 1;
                    let status =
                        SharedRun::open(&shared.plan, &Opener::default()).and_then(|run| run.status());
                    kept += status.map_or(0, |stages| stages.iter().map(|stage| stage.done).sum());
                    if !SharedRun::is_finished(&shared.plan, &Opener::default()).unwrap() {
                        resumed(Opener::default()).unwrap();
                    }
                }
                // Of one that ended behind the last step the folder may be left.
                SharedRun::give_up(&shared.plan, &Opener::default()).unwrap();
                shared.check(&format!("{}, call {step}, {overwrite}: {first:?}", case.name()));
                if faults.calls() <= step {
                    break;
                }
            }
        }
    }
    assert!(ended > 30 && kept > 30, "{ended} ended, {kept} parts were kept");
}

#[test]
fn what_is_not_as_it_should_be_is_named() {
    let io = Opener::default();
    let staged = cases().into_iter().find(|case| case.way == Way::Staged).unwrap();
    let shared = Shared::new(&staged, |request| request);
    let check = |result: Result<(), SharedError>, expected: &str| {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(SharedRun::open(&shared.plan, &io).map(drop), "nobody is making");
    assert!(!SharedRun::give_up(&shared.plan, &io).unwrap());
    let work = |stage, share| shared.join(&io)?.work(stage, share, &NoProgress).map(drop);
    check(work(2, Share::ALL), "there is no stage 2: the plan has 2, from 0");
    check(work(0, Share { index: 3, of: 3 }), "there is no share 3 of 3");
    work(0, Share { index: 1, of: 2 }).unwrap();
    check(work(1, Share::ALL), "stage 1 needs all of stage 0, of which");
    check(SharedRun::open(&shared.plan, &io).unwrap().finish(&NoProgress).map(drop), "of stage 0");

    // Others keep away from the target, and do not remove what workers have made.
    let other = staged.request(&shared.source, &Location::Path(shared.dir.path().join("target.zarr")), 1);
    let refused = prepare(other).unwrap_err().to_string();
    assert!(refused.contains("is being made by workers, or by a run that can be resumed, in "), "{refused}");

    // A receipt that was not written to its end does not count; one of something else is refused.
    work(0, Share::ALL).unwrap();
    work(1, Share::ALL).unwrap();
    let folder = shared.dir.path().join(&names(shared.dir.path())[0]);
    let journals = |folder: &Path| {
        let receipts = folder.join("receipts");
        names(&receipts).into_iter().map(|name| receipts.join(name)).collect::<Vec<_>>()
    };
    let of_stage_1 = |journal: &PathBuf| std::fs::read_to_string(journal).unwrap().contains("\"stage\":1");
    let journal = journals(&folder).into_iter().find(of_stage_1).unwrap();
    let text = std::fs::read(&journal).unwrap();
    let finish_it = || SharedRun::open(&shared.plan, &io)?.finish(&NoProgress).map(drop);
    let open = SharedRun::open(&shared.plan, &io).unwrap();
    assert!(open.status().unwrap()[1].done > 0);
    std::fs::write(&journal, &text[..text.len() - 1]).unwrap();
    check(finish_it(), "of stage 1");
    std::fs::remove_file(&journal).unwrap();
    assert_eq!(open.status().unwrap()[1].done, 0, "what was taken away is not remembered");
    let other = Shared::new(&staged, |request| Request { part_bytes: 77, ..request });
    other.work(1).unwrap();
    let foreign = journals(&other.dir.path().join(&names(other.dir.path())[0])).remove(0);
    std::fs::copy(foreign, &journal).unwrap();
    check(finish_it(), "has receipts of another plan: remove it");
    check(work(1, Share::ALL), "has receipts of another plan: remove it");
    std::fs::remove_file(&journal).unwrap();
    work(1, Share::ALL).unwrap();

    // The one that finishes has it alone; the other goes on when that fails.
    assert!(SharedRun::give_up(&shared.plan, &io).unwrap());
    assert!(names(shared.dir.path()).is_empty());
    shared.work(1).unwrap();
    finish(&shared);
    shared.check("at last");
    check(work(0, Share::ALL), "the run was finished or given up meanwhile");
}

/// Workers that come late, when the target has its name, write nothing.
#[test]
fn a_straggler_writes_nothing_behind_the_end() {
    for case in &some_cases() {
        let shared = Shared::new(case, |request| request);
        let io = Opener::default();
        let late = shared.join(&io).unwrap();
        shared.work(1).unwrap();
        let receipts = shared.dir.path().join(&names(shared.dir.path())[0]).join("receipts");
        finish(&shared);
        let last = late.work(0, Share::ALL, &NoProgress);
        assert!(matches!(last, Err(SharedError::Over)), "{}: {last:?}", case.name());
        assert!(!receipts.exists());
        shared.check(&case.name());
    }
}

/// What is in the memory of one process others do not reach.
#[test]
fn memory_is_refused() {
    let case = &cases()[5];
    let (source, target) = (create(&SHAPE, &case.source), support::place());
    let mut file = Vec::new();
    prepare(case.request(&source, &target, 1)).unwrap().write_plan(&mut file).unwrap();
    let refused = SharedRun::join(&PlanFile::parse(&file).unwrap(), &Opener::default()).unwrap_err();
    assert!(
        refused.to_string().contains("cannot be made by several processes: choose a folder"),
        "{refused}"
    );
}

/// Whoever begins when the target was replaced already replaces nothing.
#[test]
fn what_was_replaced_is_not_replaced_again() {
    let shared = Shared::new(&cases()[5], |request| Request { overwrite: true, ..request });
    shared.work(2).unwrap();
    finish(&shared);
    shared.check("replaced");
    assert!(SharedRun::is_finished(&shared.plan, &Opener::default()).unwrap());
    assert!(matches!(shared.work(2), Err(SharedError::Over)));
    let again = prepare_planned(&shared.plan, Opener::default()).unwrap_err().to_string();
    assert!(again.contains("target.zarr is not what was there when it was planned"), "{again}");
    shared.check("replaced once");
}

/// Something else that came to lie at the place of the target is not replaced.
#[test]
fn only_what_was_planned_is_replaced() {
    let shared = Shared::new(&cases()[5], |request| Request { overwrite: true, ..request });
    shared.work(2).unwrap();
    let (target, away) = (shared.dir.path().join("target.zarr"), shared.dir.path().join("away.zarr"));
    std::fs::rename(&target, &away).unwrap();
    std::fs::create_dir(&target).unwrap();
    std::fs::copy(away.join("zarr.json"), target.join("zarr.json")).unwrap();
    let refused = SharedRun::open(&shared.plan, &Opener::default()).unwrap().finish(&NoProgress).unwrap_err();
    assert!(refused.to_string().contains("is not what was there when it was planned"), "{refused}");
    std::fs::remove_dir_all(&target).unwrap();
    std::fs::rename(&away, &target).unwrap();
    finish(&shared);
    shared.check("what was planned");
}

/// Who finishes what has its name already, for the first one ended then, only removes the folder, whatever that holds by now.
#[test]
fn who_is_late_to_finish_changes_nothing() {
    for overwrite in [false, true] {
        let shared = Shared::new(&cases()[5], |request| Request { overwrite, ..request });
        shared.work(1).unwrap();
        let folder = names(shared.dir.path()).into_iter().find(|name| name.starts_with('.')).unwrap();
        let folder = shared.dir.path().join(folder);
        finish(&shared);
        let target = std::fs::metadata(shared.dir.path().join("target.zarr")).unwrap();
        std::fs::create_dir_all(folder.join("workers")).unwrap();
        std::fs::write(folder.join("publishing"), std::os::unix::fs::MetadataExt::ino(&target).to_string())
            .unwrap();
        if overwrite {
            std::fs::create_dir(folder.join("target")).unwrap();
            std::fs::write(folder.join("target/zarr.json"), "the old one").unwrap();
            finish(&shared);
        } else {
            assert!(SharedRun::is_finished(&shared.plan, &Opener::default()).unwrap());
            SharedRun::give_up(&shared.plan, &Opener::default()).unwrap();
        }
        shared.check(&format!("overwrite {overwrite}"));
    }
}

/// A group without arrays, with a group that has no document: there is nothing to be done but to finish it.
#[test]
fn nothing_to_be_done_is_done() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let at = |name: &str| Location::Path(dir.path().join(name));
    std::fs::create_dir(dir.path().join("source.zarr")).unwrap();
    let store = at("source.zarr").open().unwrap();
    let group = br#"{"zarr_format": 3, "node_type": "group", "attributes": {"a": 1}}"#;
    store.put("zarr.json", group).unwrap();
    store.put("implicit/inner/zarr.json", group).unwrap();
    let mut file = Vec::new();
    prepare(Request::new(at("source.zarr"), at("target.zarr"))).unwrap().write_plan(&mut file).unwrap();
    let (plan, io) = (PlanFile::parse(&file).unwrap(), Opener::default());
    let worked = SharedRun::join(&plan, &io).unwrap().work(0, Share::ALL, &NoProgress).unwrap();
    assert_eq!(worked.parts, 0);
    SharedRun::open(&plan, &io).unwrap().finish(&NoProgress).unwrap();
    assert!(SharedRun::is_finished(&plan, &io).unwrap());
    assert!(dir.path().join("target.zarr/implicit/inner/zarr.json").exists());
    assert_eq!(names(dir.path()), ["source.zarr", "target.zarr"]);
}

/// Files that are not Zarr come along, also those of a plan that one process carries out; chunks are never replaced by them.
#[test]
fn other_files_come_along() {
    for workers in [false, true] {
        let shared = Shared::new(&cases()[5], |request| Request { foreign: Foreign::Copy, ..request });
        let source = shared.source.open().unwrap();
        source.put("notes/log.txt", b"clouds").unwrap();
        if workers {
            shared.work(2).unwrap();
            finish(&shared);
        } else {
            run(prepare_planned(&shared.plan, Opener::default()).unwrap(), &NoProgress).unwrap();
        }
        let target = shared.dir.path().join("target.zarr");
        assert_eq!(std::fs::read(target.join("notes/log.txt")).unwrap(), b"clouds");
    }
}

/// Intermediates may lie elsewhere, and go with the folder.
#[test]
fn intermediates_lie_where_it_is_asked() {
    let staged = cases().into_iter().find(|case| case.way == Way::Staged3).unwrap();
    let temp = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let place = Location::Path(temp.path().join("deep"));
    let shared = Shared::new(&staged, |request| Request { temp: Some(place.clone()), ..request });
    shared.work(3).unwrap();
    assert_eq!(names(&temp.path().join("deep")).len(), 1);
    finish(&shared);
    shared.check("with --temp");
    assert!(names(&temp.path().join("deep")).is_empty());
}
