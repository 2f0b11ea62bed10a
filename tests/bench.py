"""Where the time of an analysis goes, as ratios inside one run: ``make bench``.

Absolute seconds on a shared machine say little, so each part is timed alone, in turn,
three times over, and medians are compared with the whole analysis of the same clip.
"""

from __future__ import annotations

import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from detector import analyze
from detector.faces import FaceDetector, cut, framing
from detector.media import open_media
from detector.models import load_model
from detector.sample import SECONDS, make_sample
from detector.scoring import Scorer
from reports import write_report

ROUNDS = 3
RATE = 8.0


def main() -> None:
    """Print the table with the machine's facts, and write ``out/bench.json``."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "sample.mp4"
        make_sample(clip)
        loaded = load_model()
        scorer, detector = Scorer(loaded), FaceDetector()
        with open_media(clip) as reader:
            frames = [frame.image for frame in reader.frames(RATE)]
        faces = [(image, face) for image in frames for face in detector(image)]
        crops = [cut(image, framing(face), scorer.card.input.size) for image, face in faces]
        result = Path(folder) / "result"
        result.mkdir()
        analysis = analyze(clip, model=loaded, images=result)

        def decode() -> None:
            with open_media(clip) as reader:
                for _ in reader.frames(RATE):
                    pass

        parts: dict[str, Callable[[], object]] = {
            "whole analysis": lambda: analyze(clip, model=loaded, images=result),
            "decoding alone": decode,
            "detection alone": lambda: [detector(image) for image in frames],
            "scoring alone, batches of 32": lambda: [
                scorer.logits(crops[i : i + 32]) for i in range(0, len(crops), 32)
            ],
            "scoring alone, one by one": lambda: [scorer.logits([crop]) for crop in crops],
            "report (HTML and PDF)": lambda: write_report(analysis, result),
        }
        seconds = _timed(parts)
    whole = seconds["whole analysis"]
    floor_parts = ("decoding alone", "detection alone", "scoring alone, batches of 32")
    floor = sum(seconds[part] for part in floor_parts)
    ratios = {
        "clip length / analysis time": SECONDS / whole,
        "analysis time / (decoding + detection + scoring)": whole / floor,
        "scoring one by one / in batches": seconds["scoring alone, one by one"]
        / seconds["scoring alone, batches of 32"],
        **{f"{part} / whole analysis": value / whole for part, value in seconds.items() if value != whole},
    }
    machine = {"processor": platform.processor() or platform.machine(), "threads": torch.get_num_threads()}
    print(f"{machine}, {len(frames)} sampled frames, {len(crops)} faces")
    for name, value in ratios.items():
        print(f"{name:55} {value:6.2f}")
    out = Path("out")
    out.mkdir(exist_ok=True)
    result_text = json.dumps({"machine": machine, "seconds": seconds, "ratios": ratios}, indent=2)
    (out / "bench.json").write_text(result_text + "\n")


def _timed(parts: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median seconds of each part; the parts take turns, so that a slow moment hits all alike."""
    taken: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(ROUNDS):
        for name, part in parts.items():
            started = time.perf_counter()
            part()
            taken[name].append(time.perf_counter() - started)
    return {name: statistics.median(times) for name, times in taken.items()}


if __name__ == "__main__":
    main()
