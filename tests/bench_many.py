"""How `score` over a folder uses the cores: ``python -m tests.bench_many [CLIPS]``.

A dozen clips of two seconds by the demonstration clip's recipe, four different ones under many
names, are scored by the command itself, pinned to one core and then with two. Seconds by the clock say
something only where nothing else is done, so the share of the cores that the command got stands beside them.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import detector.demo_clip as sample
from tests import bench_options

CLIPS, DISTINCT, SECONDS = 12, 4, 2


def make_clips(folder: Path, clips: int) -> None:
    """``clips`` files in ``folder``, in turn of :data:`DISTINCT` seeds of the recipe."""
    sample.SECONDS, sample.MANIPULATED = SECONDS, (0.5, 1.5)
    for number in range(clips):
        path = folder / f"{number:03d}.mp4"
        if number < DISTINCT:
            sample._SEED += 1
            sample.make_sample(path)
        else:
            os.link(folder / f"{number % DISTINCT:03d}.mp4", path)


def score(folder: Path, cores: set[int]) -> tuple[float, float, float]:
    """Seconds by the clock, of processor time, and to the first line; of `score` on ``cores``."""
    command = [sys.executable, "-m", "detector", "score", str(folder)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: os.sched_setaffinity(0, cores)
    ) as run:
        assert run.stdout is not None
        lines = [(time.perf_counter(), json.loads(line)) for line in run.stdout]
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert run.returncode == 0 and len(lines) == len(list(folder.iterdir()))
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, busy, lines[0][0] - started


def main() -> None:
    """Print the figures and write ``out/bench-many.json``."""
    parser = bench_options.parser(__doc__)
    parser.add_argument("clips", nargs="?", type=int, default=CLIPS, metavar="CLIPS")
    clips = parser.parse_args().clips
    cores = sorted(os.sched_getaffinity(0))[:2]
    with tempfile.TemporaryDirectory() as name:
        make_clips(Path(name), clips)
        single, two = score(Path(name), set(cores[:1])), score(Path(name), set(cores))
    figures: dict[str, float] = {"clips": clips, "cores": len(cores), "ratio": single[0] / two[0]}
    for words, (wall, busy, first), number in (("one", single, 1), ("two", two, len(cores))):
        figures[f"{words}: files a second"] = clips / wall
        figures[f"{words}: seconds to the first line"] = first
        figures[f"{words}: processor seconds a file"] = busy / clips
        figures[f"{words}: share of the cores got"] = busy / wall / number
    for words, value in figures.items():
        print(f"{words:55} {value:6.2f}")
    out = Path("out")
    out.mkdir(exist_ok=True)
    (out / "bench-many.json").write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
