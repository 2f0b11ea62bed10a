"""The annotated video and the review desk put a face's box in the same place at the same time."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from analyses import build
from playwright.sync_api import Page

from detector.annotated_video.drawing import DrawnLane
from detector.schema.analysis import Score, Scores

pytestmark = pytest.mark.browser


def scores(rng: random.Random) -> list[Score]:
    """Samples at uneven distances, on several tracks, with losses of all lengths."""
    samples, time, track = [], 0.0, 0
    for _ in range(60):
        time += rng.choice([0.04, 0.12, 0.125, 0.28, 0.2999, 0.3001, 0.5, 2.0])
        track += rng.random() < 0.15
        left, top = rng.uniform(-20, 1800), rng.uniform(-20, 900)
        box = (left, top, left + rng.uniform(20, 400), top + rng.uniform(20, 400))
        samples.append(Score(time=time, pts=round(time * 1e6), track=track, box=box, usable=False))
    return samples


def test_boxes_are_where_the_review_desk_has_them(modules: Page, tmp_path: Path) -> None:
    rng = random.Random(20261120)
    person = build(tmp_path, segments=0, persons=1, kept=False, count=1).persons[0]
    samples = scores(rng)
    times = [sample.time for sample in samples]
    asked = [rng.uniform(-0.2, times[-1] + 0.5) for _ in range(1500)]
    # Just beside samples, and just beside where a box is given up.
    asked += [time + away for time in times for away in (0, 1e-7, 5e-4, 2e-3, -5e-4, -2e-3, 0.149, 0.151)]
    given: dict[str, Any] = {
        "time": times,
        "track": [sample.track for sample in samples],
        "box": [value for sample in samples for value in sample.box],
        "asked": asked,
    }
    desk_boxes = modules.evaluate(
        """async (given) => {
            const { boxAt } = await import("/static/js/review/data.js");
            const scores = { time: Float64Array.from(given.time), track: Int32Array.from(given.track),
                           box: Float32Array.from(given.box) };
            return given.asked.map((time) => {
                const found = boxAt(scores, time);
                return found && { index: found.index, box: [...found.box] };
            });
        }""",
        given,
    )
    lane = DrawnLane(person.model_copy(update={"scores": Scores(samples)}), (), 0.5)
    seen = 0
    for time, there in zip(asked, desk_boxes, strict=True):
        here = lane.box_at(time)
        assert (here is None) == (there is None), time
        if here is not None:
            seen += 1
            assert here[0] == there["index"], time
            assert here[1] == pytest.approx(there["box"], abs=1e-3), time
    assert 300 < seen < len(asked) - 300
