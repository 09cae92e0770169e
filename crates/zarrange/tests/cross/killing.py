"""Workers and who finishes, killed at random: no wrong target is ever seen, and the same calls end right.

As a program, `killing.py BINARY FIRST END` goes through many of them and says how many processes were killed.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
import zarr

# Ways that workers write in: chunks, shards, what is stored, and through an intermediate.
KINDS = ["chunks", "shards", "repack", "copy", "staged"]

# A run on a machine that is busy takes longer than most kills wait.
PATIENCE = 60


def write(path: Path) -> None:
    """A group with an array for each kind, and some of what else there is."""
    root = zarr.create_group(path, attributes={"survey": "small"})
    rng = np.random.default_rng(3)
    for kind in KINDS:
        options = {"shards": (60, 20)} if kind == "repack" else {}
        chunks = (30, 10) if kind == "repack" else (60, 1)
        # Larger than what there is memory for, if that is little.
        shape = (240, 60) if kind == "staged" else (60, 40)
        chunks = (240, 1) if kind == "staged" else chunks
        array = root.create_array(
            f"deep/{kind}", shape=shape, chunks=chunks, dtype="f4", fill_value=np.nan, **options
        )
        array[:, 3:] = rng.normal(size=(shape[0], shape[1] - 3))
    root.create_array("names", shape=(60,), chunks=(20,), dtype=str)[:] = [f"star {k}" for k in range(60)]


CHUNKS = [
    "deep/chunks:7,40",
    "deep/shards:5,20",
    "deep/repack:30,10",
    "deep/staged:1,60",
    "names:7",
]
SHARDS = ["deep/shards:20,40", "deep/repack:none"]


def options(rng: Random) -> list[str]:
    spec = ["--chunks", *CHUNKS, "--shards", *SHARDS, "--threads", str(rng.randint(1, 2))]
    spec += ["--verify", rng.choice(["none", "sample", "digest", "full"])]
    # So little that one array needs an intermediate, in some of them.
    return [*spec, "--max-mem", rng.choice(["30kB", "10MB"])]


class Killing:
    """A plan, its workers, and how many of them were killed."""

    def __init__(self, binary: str, folder: Path, source: Path, seed: int):
        self.binary, self.folder, self.source = binary, folder, source
        self.rng, self.killed = Random(seed), 0
        self.plan, self.target, whole = folder / "plan.json", folder / "dst" / "t.zarr", folder / "whole.zarr"
        asked = options(self.rng)
        self.overwrite = self.rng.random() < 0.5
        if self.overwrite:
            zarr.create_group(self.target, attributes={"old": True})
        more = ["--overwrite"] if self.overwrite else []
        if self.rng.random() < 0.5:
            more += ["--temp", folder / "temp"]
        self.run("rechunk", source, whole, "--durability", "none", *asked)
        self.expected = tree(whole)
        self.old = tree(self.target)
        durability = self.rng.choice(["none", "none", "commit"])
        self.asked = ["--durability", durability, *asked, *more]
        self.run(
            "plan", source, self.target, "--out", self.plan, "--part-size", self.rng.choice(["2kB", "5kB"]),
            *self.asked,
        )  # fmt: skip

    def run(self, *args) -> str:
        command = [self.binary, *map(str, args)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode != 0:
            raise AssertionError(f"{args}: exit code {done.returncode}: {done.stderr}")
        return done.stdout

    def started(self, *args) -> subprocess.Popen:
        command = [self.binary, *map(str, args)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill_some(self, processes: list[subprocess.Popen]) -> None:
        """Kills most of them after a moment, each at another one, and waits for the others."""
        for process in self.rng.sample(processes, len(processes)):
            if self.rng.random() < 0.8:
                time.sleep(self.rng.random() ** 2 * 0.03)
                self.killed += process.poll() is None
                process.kill()
        for process in processes:
            process.wait(PATIENCE)

    def status(self) -> list[dict] | None:
        """The stages, if somebody has begun; none of them when all is finished."""
        command = [self.binary, "worker", self.plan, "--status", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        self.said = done.stderr
        return json.loads(done.stdout)["stages"] if done.returncode == 0 else None

    def wrong(self) -> Iterator[str]:
        """What is seen where the target is to be, if that is neither what was there nor what is wanted."""
        there = tree(self.target)
        if there not in (self.old, self.expected):
            known = self.expected if "names" in there else self.old
            differs = {key for key in {*there, *known} if there.get(key, 0) != known.get(key, 0)}
            yield f"a wrong target: {sorted(differs)[:5]}"

    def work(self, *, kill: bool) -> None:
        """Lets some workers do the first stage that is not done."""
        stages = self.status()
        stage = 0
        if stages is not None:
            stage = next((k for k, one in enumerate(stages) if one["done"] < one["parts"]), 0)
        of = self.rng.randint(1, 3)
        # All shares, and one of them twice, at the same time.
        shares = [*range(of), self.rng.randrange(of)]
        workers = [
            self.started("worker", self.plan, "--stage", stage, "--part", f"{k}/{of}") for k in shares
        ]
        if kill:
            self.kill_some(workers)
        for worker in workers:
            worker.wait(PATIENCE)

    def finish(self) -> None:
        """Lets two finish it, of which most are killed."""
        self.kill_some([self.started("finish", self.plan) for _ in range(self.rng.randint(1, 2))])

    def go_on(self) -> Iterator[str]:
        """Kills for a while, then lets all end; yields what is wrong."""
        for _ in range(self.rng.randint(2, 6)):
            stages = self.status()
            done = stages is not None and all(one["done"] == one["parts"] for one in stages)
            if done or self.rng.random() < 0.1:
                self.finish()
            else:
                self.work(kill=True)
            yield from self.wrong()
        for _ in range(20):
            stages = self.status()
            if stages is not None and all(one["done"] == one["parts"] for one in stages):
                break
            if tree(self.target) == self.expected:
                break
            self.work(kill=False)
        self.run("finish", self.plan) if self.is_begun() else None
        if tree(self.target) != self.expected:
            yield f"the target is not what one process makes: {self.said}"
        left = [p.name for p in self.target.parent.iterdir() if p != self.target]
        temp = self.folder / "temp"
        left += [p.name for p in temp.iterdir()] if temp.exists() else []
        if left:
            yield f"left behind: {left}"

    def is_begun(self) -> bool:
        return self.status() is not None


class Resuming(Killing):
    """One process that does everything, and is killed; the same command goes on."""

    def __init__(self, binary: str, folder: Path, source: Path, seed: int):
        super().__init__(binary, folder, source, seed)
        self.command = ["rechunk", source, self.target, "--resume", "--part-size", "2kB", *self.asked]

    def go_on(self) -> Iterator[str]:
        for _ in range(self.rng.randint(2, 6)):
            process = self.started(*self.command)
            time.sleep(self.rng.random() ** 2 * 0.1)
            self.killed += process.poll() is None
            process.kill()
            process.wait(PATIENCE)
            yield from self.wrong()
            if tree(self.target) == self.expected:
                break
            self.tear()
        if tree(self.target) != self.expected:
            self.run(*self.command)
        elif self.overwrite:
            # It would be made once more.
            self.run("finish", *(self.target.parent.glob(".t.zarr.partial-*/plan.json"))) if self.left() else None
        if tree(self.target) != self.expected:
            yield "the target is not what one process makes"
        if self.left():
            yield f"left behind: {self.left()}"

    def left(self) -> list[str]:
        left = [p.name for p in self.target.parent.iterdir() if p != self.target]
        temp = self.folder / "temp"
        return left + ([p.name for p in temp.iterdir()] if temp.exists() else [])

    def tear(self) -> None:
        """Tears the last receipt, as the end of a machine may do."""
        journals = [*self.target.parent.glob(".t.zarr.partial-*/receipts/*.receipts")]
        if journals and self.rng.random() < 0.3:
            journal = self.rng.choice(journals)
            text = journal.read_bytes()
            journal.write_bytes(text[: -self.rng.randint(1, 100)])


def tree(root: Path) -> dict[str, bytes | None]:
    from support import tree

    return tree(root) if root.exists() else {}


def check(binary: str, folder: Path, source: Path, seed: int) -> tuple[list[str], int]:
    """What is wrong, and how many processes were killed."""
    # Workers in most of them, in others one that is resumed.
    killing = (Resuming if seed % 4 == 3 else Killing)(binary, folder, source, seed)
    return list(killing.go_on()), killing.killed


def main(binary: str, first: int, end: int) -> int:
    killed = failed = 0
    with tempfile.TemporaryDirectory() as place:
        source = Path(place) / "source.zarr"
        write(source)
        for seed in range(first, end):
            folder = Path(place) / str(seed)
            folder.mkdir()
            found, some = check(binary, folder, source, seed)
            killed, failed = killed + some, failed + bool(found)
            for one in found:
                print(f"seed {seed}: {one}", flush=True)
            shutil.rmtree(folder)
    print(json.dumps({"runs": end - first, "killed": killed, "failed": failed}))
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])) > 0)
