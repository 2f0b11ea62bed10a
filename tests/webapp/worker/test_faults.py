"""SIGKILL at fifty random points of an analysis's life, each followed by a start: nothing is lost.

``make test-faults`` runs it; ``docs/reliability.md`` holds what it found.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from functools import partial
from pathlib import Path

import machines
import pytest
from app_process import App, skip_sample, wait

pytestmark = pytest.mark.slow

_POINTS = 50
_SEED = 20261120
# When to kill: while the upload goes over, or once the row is as far as this; then a moment more.
_MOMENTS = (
    "upload",
    "queued",
    "starting",
    "reading",
    "finding and scoring faces",
    "explaining",
    "finishing",
    "making a thumbnail",  # the result is in its place, the row does not know of it
    "making a preview",
    "done",  # the report is being made
)
# Every other clip has each face flagged, and each that is to be killed while it is explained.
_FLAG_ALL = '{"enter_threshold": 0.02, "exit_threshold": 0.01, "minimum_duration": 0}'


def whole(data: Path, rows: dict[str, tuple[str, str, int]]) -> None:
    """What is marked done is whole, file by file, and what lies under its own name too."""
    for folder in (data / "analyses").iterdir():
        if folder.name.startswith("."):
            continue
        checked = subprocess.run(
            [sys.executable, "-I", str(machines.ROOT / "docs" / "verify_bundle.py"), str(folder)],
            capture_output=True,
            text=True,
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr
    for analysis_id, (state, _, _) in rows.items():
        assert state != "done" or (data / "analyses" / analysis_id / "manifest.json").is_file(), analysis_id


def test_killed_at_fifty_points(tmp_path):
    chance, data = random.Random(_SEED), tmp_path / "data"
    app, accepted, torn = App(data), [], 0
    killed_at: Counter[str] = Counter()
    skip_sample(data)
    app.start()
    for point in range(_POINTS):
        wait(app.idle)
        before, moment = set(app.rows()), _MOMENTS[point % len(_MOMENTS)]
        clip = machines.clip(tmp_path / f"{point}.mp4", point)
        answers: list[str] = []

        def hand_in(
            clip: Path = clip,
            answers: list[str] = answers,
            slowly: bool = moment == "upload",
            parameters: str = _FLAG_ALL if point % 2 or moment == "explaining" else "",
        ) -> None:
            with contextlib.suppress(urllib.error.URLError, OSError):  # it was killed under it
                answers.append(app.upload(clip, slowly, parameters))

        thread = threading.Thread(target=hand_in)
        thread.start()
        if moment != "upload":
            wait(partial(reached, app, before, moment))
        time.sleep(chance.uniform(0, chance.choice((0.04, 0.4))))  # some stages last no longer than that
        states = [row for analysis_id, row in app.rows().items() if analysis_id not in before]
        app.kill()
        thread.join()
        accepted += answers
        torn += not answers
        killed_at[" ".join(states[0][:2]).strip() if states else "before there was a row"] += 1
        whole(data, app.rows())
        app.start()
    wait(app.idle)
    rows = app.rows()
    whole(data, rows)
    assert set(accepted) <= set(rows), "an upload that was accepted has no analysis"
    kept = [path for path in (data / "exhibits").rglob("*") if path.is_file()]
    assert len(kept) >= len(rows)
    wait(lambda: not list((data / "findings").iterdir()))  # after the report of the last one
    left = [*(data / "incoming").iterdir(), *(data / "analyses").glob(".*")]
    assert left == [], "what was cut off is still there"
    _ids_unique(data, rows)
    app.kill()
    log = subprocess.run(
        [sys.executable, "-m", "webapp", "verify-log"],
        cwd=machines.ROOT,
        env=os.environ | {"REELPROOF_DATA": str(data)},
        capture_output=True,
        text=True,
    )
    assert log.returncode == 0, log.stdout + log.stderr
    again = sum(attempt > 1 for _, _, attempt in rows.values())
    print(
        f"\n{_POINTS} kills: {dict(killed_at)}; {len(rows)} analyses, all done, {again} done again; "
        f"{torn} uploads without an answer"
    )


def reached(app: App, before: set[str], moment: str) -> bool:
    """Whether the new row is as far as ``moment`` says, or farther."""
    for analysis_id, (state, stage, _) in app.rows().items():
        if analysis_id not in before:
            here = stage if state == "running" else state
            at = [number for number, name in enumerate(_MOMENTS) if here.startswith(name)]
            return bool(at) and at[0] >= _MOMENTS.index(moment)
    return False


def _ids_unique(data: Path, rows: dict[str, tuple[str, str, int]]) -> None:
    folders = [path.name for path in (data / "analyses").iterdir() if path.name[0] != "."]
    assert sorted(folders) == sorted(rows)
    exhibits = [json.loads((data / "analyses" / name / "analysis.json").read_text()) for name in folders]
    assert len({analysis["media"]["sha256"] for analysis in exhibits}) == len(rows)
