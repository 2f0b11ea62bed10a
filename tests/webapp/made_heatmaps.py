"""Stands in for the process that computes animated heatmaps: pictures made up, no network."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import cv2
import numpy as np

from detector.schema.frame_maps import INDEX, FrameMap, SegmentMaps
from webapp.review import heatmaps

FRAMES = 6
SIDE = 320  # px
PART = (380.0, 80.0, 640.0, 340.0)


def write_maps(out: Path, segment: str, start: float, count: int = FRAMES) -> SegmentMaps:
    """Heatmaps of six frames, an eighth of a second apart: green heads, and maps whose heat moves right."""
    frames = []
    for number in range(count):
        frame, heatmap = f"{number:03d}.jpg", f"{number:03d}.png"
        head = np.zeros((SIDE, SIDE, 3), np.uint8)
        head[..., 1] = 200
        layer = np.zeros((SIDE, SIDE, 4), np.uint8)
        layer[:, 50 * number : 50 * number + 50] = (0, 0, 255, 255)  # red, as OpenCV orders it
        assert cv2.imwrite(str(out / frame), head) and cv2.imwrite(str(out / heatmap), layer)
        time = start + number / 8
        frames.append(
            FrameMap(
                time=time,
                pts=int(time * 12800),
                probability=0.5 + number / 20,
                heat=1 - number / 10,
                part=PART,
                frame=frame,
                map=heatmap,
            )
        )
    maps = SegmentMaps(segment=segment, frames=tuple(frames), complete=count == FRAMES)
    (out / INDEX).write_text(maps.model_dump_json())
    return maps


class StandIn:
    """What :func:`webapp.review.heatmaps._run` does, once the test lets it."""

    def __init__(self, start: float) -> None:
        self.start, self.error, self.part = start, "", 0
        self.go_on = threading.Event()
        self.runs = 0

    def __call__(self, task: heatmaps._Task, out: Path, job: heatmaps._Job) -> str:
        self.runs += 1
        job.progress = 0.4
        if self.part:
            write_maps(out, task.segment, self.start, self.part)
        while not self.go_on.wait(0.02):
            if job.cancelled.is_set():
                return "ended"
        if not self.error:
            write_maps(out, task.segment, self.start)
        return self.error


@contextmanager
def standing_in(start: float) -> Iterator[StandIn]:
    """Compute nothing in this block; heatmaps begin at ``start`` seconds."""
    stand_in = StandIn(start)
    with mock.patch.object(heatmaps, "_run", stand_in):
        yield stand_in
    stand_in.go_on.set()
