"""``docs/images/bench.svg``: what the stages of an analysis take, from ``docs/bench.json``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot as plt  # noqa: E402

from tests import bench_options  # noqa: E402
from tests.bench import COMMITTED, SECONDS, STAGES  # noqa: E402

PICTURE = Path("docs/images/bench.svg")
_COLOURS = ("#35618f", "#5fa5c4", "#c8a24a", "#a4503c")


def main() -> None:
    """One bar for each clip: its resolution and people, and each stage's processor time."""
    bench_options.parser(__doc__).parse_args()
    figures = json.loads(COMMITTED.read_text())["figures"]
    last = f": {STAGES[-1]}, seconds of processor time"
    clips = [name.removesuffix(last) for name in figures if name.endswith(last)]
    if not clips:
        sys.exit(f"{COMMITTED} has no stages: run `make bench` and copy out/bench.json there.")
    matplotlib.rcParams |= {"svg.hashsalt": "bench", "font.size": 10, "svg.fonttype": "none"}
    figure, axes = plt.subplots(figsize=(8, 0.45 * len(clips) + 1.4), layout="constrained")
    ends = [0.0] * len(clips)
    for stage, colour in zip(STAGES, _COLOURS, strict=True):
        taken = [max(0.0, figures[f"{clip}: {stage}, seconds of processor time"]) for clip in clips]
        axes.barh(clips, taken, left=ends, color=colour, label=stage)
        ends = [end + more for end, more in zip(ends, taken, strict=True)]
    for clip, end in zip(clips, ends, strict=True):
        axes.annotate(f" {end:.0f} s", (end, clip), va="center")
    axes.invert_yaxis()
    axes.set_xlabel(f"seconds of processor time for a clip of about {SECONDS} s")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=len(STAGES), frameon=False)
    figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    main()
