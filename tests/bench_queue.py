"""How workers of a shared queue add up: ``python -m tests.bench_queue [CLIPS]``.

Clips of two seconds by the demonstration clip's recipe, as in :mod:`tests.bench_many`, are handed in and
analysed with report and pictures, once by one worker and once by four, over Debian's Redis and PostgreSQL on
loopback. What counts is the time from the first result to the last: start and what it imports are left out.
Four workers on two cores show what the queue costs; seconds say something only where nothing else is done.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from sqlalchemy import select

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent / "webapp"))

import machines
import servers

from tests import bench_options
from tests.bench_many import make_clips
from webapp import create_app
from webapp.storage.tables import AnalysisRow, State
from webapp.worker.supervisor import sweep

CLIPS, WORKERS = 24, (1, 4)


def make_exhibits(folder: Path, clips: int) -> list[Path]:
    """``clips`` files of four kinds, no two of the same bytes: each ends in a number of its own."""
    made = folder / "made"
    made.mkdir()
    make_clips(made, clips)
    exhibits = []
    for number, path in enumerate(sorted(made.iterdir())):
        free = struct.pack(">I4sQ", 16, b"free", number)  # an empty box, ISO/IEC 14496-12, 8.1.2
        exhibits.append(folder / path.name)
        exhibits[-1].write_bytes(path.read_bytes() + free)
    return exhibits


def analysed(exhibits: list[Path], folder: Path, workers: int) -> float:
    """Results a second, from the first one to the last, with so many workers."""
    postgresql, redis = servers.PostgreSQL(), servers.Redis(folder / "redis")
    shared = machines.settings(folder, postgresql, redis)
    app = create_app(shared)
    database, settings, send = (app.extensions[name] for name in ("database", "settings", "send"))
    for path in exhibits:
        with path.open("rb") as file:
            answer = app.test_client().post("/analyses", data={"file": (file, path.name)})
        assert answer.status_code in (201, 303), answer.text
    ended: list[datetime | None] = []
    try:
        with machines.processes() as started:
            for number in range(workers):
                log = folder / f"worker-{number}.log"
                machines.run(started, "-m", "webapp.worker.standalone", environment=shared, log=log)
            while len(ended) < len(exhibits):
                time.sleep(1)
                sweep(database, settings, send)  # as the process of the pages does
                with database.begin() as session:
                    done = AnalysisRow.state.in_((State.DONE, State.FAILED))
                    ended = list(session.scalars(select(AnalysisRow.finished).where(done)))
        with database.begin() as session:
            assert set(session.scalars(select(AnalysisRow.state))) == {State.DONE}
    finally:
        database.close()
        redis.stop()
        postgresql.close()
    moments = sorted(moment for moment in ended if moment is not None)
    return (len(moments) - 1) / (moments[-1] - moments[0]).total_seconds()


def main() -> None:
    """Print the figures and write ``out/bench-queue.json``."""
    parser = bench_options.parser(__doc__)
    parser.add_argument("clips", nargs="?", type=int, default=CLIPS, metavar="CLIPS")
    clips = parser.parse_args().clips
    if missing := servers.missing():
        print(f"Not installed: {', '.join(missing)}; nothing is measured.")
        return
    figures: dict[str, float] = {"clips": clips, "cores": len(os.sched_getaffinity(0))}
    with tempfile.TemporaryDirectory() as name:
        exhibits = make_exhibits(Path(name), clips)
        for workers in WORKERS:
            folder = Path(name, f"{workers}")
            folder.mkdir()
            figures[f"{workers} worker(s): results a second"] = analysed(exhibits, folder, workers)
    single, many = (figures[f"{workers} worker(s): results a second"] for workers in WORKERS)
    figures[f"{WORKERS[1]} ÷ {WORKERS[0]}"] = many / single
    figures["load"] = round(os.getloadavg()[0], 1)
    for words, value in figures.items():
        print(f"{words:40} {value:7.3f}")
    out = Path("out")
    out.mkdir(exist_ok=True)
    (out / "bench-queue.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
