"""A recorded clip keeps two persons apart where one portrait dissolves into another."""

from __future__ import annotations

from pathlib import Path

from dissolves import dissolved, two_heads

from detector.schema.analysis import Parameters
from training.evaluation.recorded_clips import record


def test_recording_separates_persons(tmp_path: Path) -> None:
    clip = dissolved(tmp_path / "two.mp4", *two_heads())
    recording, crops = record(clip, 64, tmp_path / "recordings", Parameters())
    assert sorted(recording.persons) == [[0], [1]]
    assert len(recording.faces) == 36
    assert sum(face.crop is not None for face in recording.faces) == len(crops)
    tracks = [face.track for face in recording.faces]
    assert tracks == sorted(tracks) and set(tracks) == {0, 1}
