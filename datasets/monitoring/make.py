"""Makes the catalogues of this folder: a small field of made-up stars and supernovae, the same with every run.

Two channels see 24 objects at 120 epochs in two apertures: eclipsing binaries, RR Lyrae stars, supernovae and constant
stars. Clouds and the edge of the field leave gaps, and what is brighter than 13 mag saturates and is not measured.
"""

import csv
import gzip
import io
import math
import random
from pathlib import Path

EPOCHS, CHANNELS, APERTURES = 120, ["ch1", "ch2"], ["auto", "3"]
KINDS = {"eclipsing binary": 6, "RR Lyrae": 6, "supernova": 4, "constant": 8}
SATURATED = 13.0


def main() -> None:
    rng = random.Random(20261127)
    here = Path(__file__).parent
    epochs, time = [], 60000.2
    for number in range(EPOCHS):
        epochs.append((f"gr{number:04}", round(time, 5), round(rng.uniform(0.6, 2.5), 2)))
        time += rng.choice([0.04, 0.09, 0.9, 1.02, 2.95]) + rng.uniform(-0.01, 0.01)
    objects = []
    for kind, count in KINDS.items():
        for _ in range(count):
            star = {
                "object": f"I{len(objects) + 1:03}",
                "ra": round((359.6 + rng.uniform(0, 0.8)) % 360, 6),
                "dec": round(rng.uniform(-0.4, 0.4), 6),
                "kind": kind,
                "mag": round(rng.uniform(12.8, 18.5), 2),
                "period": {"eclipsing binary": rng.uniform(0.4, 3), "RR Lyrae": rng.uniform(0.4, 0.7)}.get(
                    kind
                ),
            }
            star["peak"] = rng.uniform(epochs[20][1], epochs[80][1])
            objects.append(star)
    write(here / "objects.csv", ["object", "ra", "dec", "kind", "period"], objects)
    write(
        here / "epochs.csv",
        ["epoch", "time", "seeing"],
        [dict(zip(["epoch", "time", "seeing"], e)) for e in epochs],
    )
    measurements = [
        {"name": f"{c}_mag_{a}", "channel": c, "unit": "mag"} for c in CHANNELS for a in APERTURES
    ]
    write(here / "measurements.csv", ["name", "channel", "unit"], measurements)
    for channel in CHANNELS:
        rows = []
        for name, time, seeing in epochs:
            if rng.random() < 0.04:
                continue  # Clouds.
            for star in objects:
                if rng.random() < 0.05:
                    continue  # Beyond the edge.
                mag = brightness(star, time, channel)
                row = {"NUMBER": star["object"], "EPOCH": name}
                for aperture in APERTURES:
                    error = 0.004 * seeing * (1 + 10 ** (0.3 * (mag - 17)))
                    seen = mag + (0.03 if aperture == "3" else 0) + rng.gauss(0, error)
                    fine = seen > SATURATED and seen < 21
                    row[f"MAG_{aperture.upper()}"] = f"{seen:.4f}" if fine else ""
                    row[f"MAGERR_{aperture.upper()}"] = f"{error:.4f}" if fine else ""
                rows.append(row)
        write(here / f"{channel}.csv.gz", list(rows[0]), rows)


def brightness(star: dict, time: float, channel: str) -> float:
    """The magnitude of a star in a channel."""
    mag = star["mag"] + (0.4 if channel == "ch2" else 0)
    match star["kind"]:
        case "eclipsing binary":
            phase = (time / star["period"]) % 1
            deep, shallow = (math.exp(-(((phase - at + 0.5) % 1 - 0.5) ** 2) / 0.002) for at in [0.25, 0.75])
            return mag + 0.7 * deep + 0.3 * shallow
        case "RR Lyrae":
            phase = (time / star["period"]) % 1
            return mag + 0.9 * (phase / 0.85 if phase < 0.85 else (1 - phase) / 0.15) - 0.45
        case "supernova":
            days = time - star["peak"]
            return mag + (
                6 * (days / 18) ** 2 if days < 0 else 0.04 * days + 1.5 * (1 - math.exp(-days / 30))
            )
        case _:
            return mag


def write(path: Path, names: list[str], rows: list[dict]) -> None:
    text = io.StringIO()
    table = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    data = text.getvalue().encode()
    # Without the time of writing, which gzip would note.
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


main()
