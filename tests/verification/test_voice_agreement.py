"""Two analyses must agree on the voices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from analyses import build
from voices import two_channels, voice

from detector.schema.voice import Voice, VoiceVerdict
from verification.agreement import compare_analyses


def problems(tmp_path: Path, first: Voice | None, second: Voice | None) -> list[str]:
    analysis = build(tmp_path, segments=0)
    changed = (analysis.model_copy(update={"voice": finding}) for finding in (first, second))
    return list(compare_analyses(*changed).problems)


def test_the_same_finding_agrees(tmp_path: Path) -> None:
    assert problems(tmp_path, voice(), voice()) == []
    assert problems(tmp_path, None, None) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"verdict": VoiceVerdict.INCONCLUSIVE}, "voice verdict is inconclusive"),
        ({"probability": 0.7}, "voice probability is 0.7, where 0.94"),
        ({"probability": None}, "stands in only one of the two"),
        ({"spans": ((3.0, 10.0),)}, "voice segments voice-1 end is 00:00:10.000"),
        ({"spans": ()}, "voice segments has 1 item that stands in only one"),
    ],
)
def test_differences_are_named(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    assert any(words in problem for problem in problems(tmp_path, voice(), voice(**changes)))


def test_findings_of_channels_are_compared(tmp_path: Path) -> None:
    recorded = two_channels()
    assert problems(tmp_path, recorded, recorded) == []
    (other,) = recorded.other_channels
    changed = other.model_copy(update={"probability": 0.4})
    (problem,) = problems(tmp_path, recorded, recorded.model_copy(update={"other_channels": (changed,)}))
    assert problem == "voice other channels (1,) probability is 0.4, where 0.14 is recorded"
    together = problems(tmp_path, recorded, voice())
    assert together[0] == "voice channels has 0 items, where 1 is recorded"
    assert "voice segments voice-1 channels has 0 items, where 1 is recorded" in together


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"probability": 0.5}, "voice-1 peaks 5.75 probability is 0.5"),
        ({"heat": 0.1}, "voice-1 peaks 5.75 heat is 0.1"),
        ({"check": None}, "voice-1 peaks 5.75 check stands in only one"),
    ],
)
def test_peaks_are_compared(tmp_path: Path, values: dict[str, Any], words: str) -> None:
    (problem,) = problems(tmp_path, voice(), with_peak(voice(), **values))
    assert words in problem


def test_checks_of_heatmaps_are_compared(tmp_path: Path) -> None:
    check = voice().segments[0].peaks[0].check
    assert check is not None
    near, far = (check.model_copy(update={"drop_highlight": check.drop_highlight + by}) for by in (0.05, 2))
    assert problems(tmp_path, voice(), with_peak(voice(), check=near)) == []
    (problem,) = problems(tmp_path, voice(), with_peak(voice(), check=far))
    assert "voice-1 peaks 5.75 check drop highlight" in problem


def with_peak(finding: Voice, **values: Any) -> Voice:
    """The finding with other values of its first peak."""
    segment, *others = finding.segments
    peak, *further = segment.peaks
    changed = segment.model_copy(update={"peaks": (peak.model_copy(update=values), *further)})
    return finding.model_copy(update={"segments": (changed, *others)})


def test_voices_examined_once_only(tmp_path: Path) -> None:
    assert problems(tmp_path, voice(), None) == ["voice stands in only one of the two"]
