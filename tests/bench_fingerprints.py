"""What looking for copies takes among very many exhibits: ``python -m tests.bench_fingerprints [EXHIBITS]``.

Exhibits are made up: half of them photos, half clips with two to twelve looks, pictures of 1/f noise mixed
with one of forty layouts, so that codes crowd as those of portraits do. They are put into SQLite and, where
Debian's server is installed, PostgreSQL. Each lookup reads the index from the database anew, as a worker's
process does that has just been forked. Times are of this process's processor: the clock's say something only
where nothing else is done.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import insert

from detector.fingerprint.fingerprint import SIDE, VERSION, Fingerprint, compute_codes
from detector.fingerprint.index import search_index
from tests import bench_options, servers
from webapp.comparisons import fingerprints
from webapp.settings import Settings, read_settings
from webapp.storage.database import Database, connect
from webapp.storage.tables import Exhibit, FingerprintBlock, FingerprintRow, now

EXHIBITS, LOOKUPS, LAYOUTS, BATCH = 100_000, 40, 40, 5_000
_MIXED = 0.39  # of a picture, its layout


def noise(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """(count, SIDE, SIDE): pictures with as much of each frequency as photographs have."""
    across, down = np.fft.rfftfreq(SIDE), np.fft.fftfreq(SIDE)
    falling = 1 / np.maximum(np.hypot(*np.meshgrid(down, across, indexing="ij")), 1 / SIDE) ** 1.2
    spectrum = rng.normal(size=(count, *falling.shape)) + 1j * rng.normal(size=(count, *falling.shape))
    pictures = np.fft.irfft2(spectrum * falling, s=(SIDE, SIDE))
    return np.asarray(pictures / pictures.std(axis=(1, 2), keepdims=True))


def exhibits(count: int) -> list[Fingerprint]:
    """Made-up exhibits."""
    rng = np.random.default_rng(22)
    layouts = noise(rng, LAYOUTS)
    lengths = np.where(rng.random(count) < 0.5, 1, rng.integers(2, 13, count))
    out = []
    for start in range(0, count, BATCH):
        own = lengths[start : start + BATCH]
        chosen = np.repeat(rng.integers(0, LAYOUTS, len(own)), own)
        mixed = _MIXED * layouts[chosen] + (1 - _MIXED) * noise(rng, int(own.sum()))
        grey = np.clip(128 + 60 * mixed, 0, 255).astype(np.uint8)
        for pictures in np.split(grey, np.cumsum(own)[:-1]):
            out.append(Fingerprint(pictures, (640, 360), len(pictures) == 1))
    return out


def fill(database: Database, made: list[Fingerprint]) -> None:
    """Put them into an empty database, with the blocks of the index."""
    moment = now()
    for start in range(0, len(made), BATCH):
        part = list(enumerate(made[start : start + BATCH], start + 1))
        rows = [
            {"id": n, "sha256": f"{n:064x}", "name": "made", "bytes": 1, "path": f"{n}", "created": moment}
            for n, _ in part
        ]
        prints = [
            {
                "exhibit_id": n,
                "version": VERSION,
                "made": moment,
                "looks": compute_codes(fingerprint.pictures).tobytes(),
                "body": fingerprint.to_bytes(),
            }
            for n, fingerprint in part
        ]
        with database.begin() as session:
            session.execute(insert(Exhibit), rows)
            session.execute(insert(FingerprintRow), prints)
    while True:
        with database.alone() as session:
            fingerprints.build_index_blocks(session)
            session.flush()
            if session.query(FingerprintBlock).count() == len(made) // FingerprintBlock.SIZE:
                return


def measure(database: Database, made: list[Fingerprint]) -> dict[str, float]:
    """Seconds: of reading the index, of searching it, and of comparing what was found."""
    rng = np.random.default_rng(23)
    hits, times = 0, []
    for number in rng.choice(len(made), LOOKUPS, replace=False).tolist():
        changed = made[number].pictures + rng.normal(0, 3, made[number].pictures.shape)
        copy = Fingerprint(np.clip(changed, 0, 255).astype(np.uint8), (320, 180), made[number].still)
        clock, began = time.perf_counter(), time.process_time()
        with database.begin() as session:
            entries = fingerprints.load_index(session)
        read = time.process_time()
        search_index(entries, copy)
        searched, clocked = time.process_time(), time.perf_counter()
        matched = dict(fingerprints.find_matches(database, "0" * 64, copy))
        ended = time.process_time()
        hits += number + 1 in matched
        # The last includes both parts before it once more.
        compared = ended - searched - (searched - began)
        times.append((read - began, searched - read, searched - began, clocked - clock, compared))
    columns = np.array(times)
    out = {"found": hits / LOOKUPS, "looks": float(entries.codes.shape[1])}
    names = ("reading", "searching", "both", "both, by the clock", "comparing")
    for name, column in zip(names, columns.T, strict=True):
        out[f"{name}, median"] = round(float(np.median(column)), 4)
        out[f"{name}, 95 %"] = round(float(np.percentile(column, 95)), 4)
    return out


def _settings(folder: Path, url: str | None) -> Settings:
    given: dict[str, object] = {"REELPROOF_DATA": folder}
    return read_settings(given | ({"REELPROOF_DATABASE": url} if url else {}))


def main() -> None:
    """Print the figures and write ``out/bench-memory.json``."""
    parser = bench_options.parser(__doc__)
    parser.add_argument("exhibits", nargs="?", type=int, default=EXHIBITS, metavar="EXHIBITS")
    made = exhibits(parser.parse_args().exhibits)
    figures = {}
    with tempfile.TemporaryDirectory() as name:
        server = None if servers.missing() else servers.PostgreSQL()
        for where, url in (("SQLite", None), ("PostgreSQL", server.url if server else None)):
            if where == "PostgreSQL" and server is None:
                continue
            database = connect(_settings(Path(name), url))
            database.migrate()
            with database.hold():
                fill(database, made)
                figures[where] = measure(database, made)
            database.close()
        if server is not None:
            server.close()
    print(json.dumps(figures, indent=2))
    Path("out").mkdir(exist_ok=True)
    Path("out/bench-memory.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
