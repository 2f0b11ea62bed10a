"""The example of docs/ARCHITECTURE.md: it says of each face in each sampled frame why it was not judged."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from clips import write_clip
from engine_clips import room

from detector.files import ROOT


def test_documented_example_names_flaws_of_unjudged_faces(
    tmp_path: Path, portrait: np.ndarray, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wall, then a face 26 px wide, then one of 91 px; a second each."""
    wall = np.full((240, 320, 3), 120, np.uint8)
    small, large = (room(portrait, side=side, x=90) for side in (60, 200))
    write_clip(tmp_path / "clip.mp4", [picture for picture in (wall, small, large) for _ in range(25)])
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "docs/ARCHITECTURE.md", "exec"), {})
    output = capsys.readouterr().out
    assert output.startswith("0.000 s, PTS 0: 0 found\n0.160 s, PTS 2048: 0 found\n")
    assert "1.000 s, PTS 12800: 1 found\n  track 0, 26 px," in output
    assert (
        output.count(": too small\n") == 8
        and output.endswith(": judged\n")
        and output.count(": judged\n") == 8
    )
