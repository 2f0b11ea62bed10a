"""Figures against small worked examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from clips import Analysed
from hypothesis import given
from hypothesis import strategies as st

from detector.analysis import Analysis, Verdict
from detector.training.evaluate import Clip, clip_figures, found, overlap


@pytest.mark.parametrize(
    ("truth", "said", "expected"),
    [
        ([], [], 0.0),
        ([(0, 1)], [], 0.0),
        ([], [(0, 1)], 0.0),
        ([(0, 1)], [(0, 1)], 1.0),
        ([(0, 2)], [(1, 3)], 1 / 3),
        ([(0, 4)], [(1, 2)], 1 / 4),
        ([(0, 1)], [(1, 2)], 0.0),
        ([(0, 1)], [(5, 6)], 0.0),
        ([(0, 2), (4, 6)], [(1, 5)], 2 / 6),
        ([(0, 2), (4, 6)], [(0, 2), (4, 6)], 1.0),
        # Two persons flagged at once are one stretch of time, not two.
        ([(0, 2)], [(0, 2), (1, 3)], 2 / 3),
        ([(0, 2)], [(1, 1)], 0.0),
    ],
)
def test_overlap(truth: list[Any], said: list[Any], expected: float) -> None:
    assert overlap(truth, said) == pytest.approx(expected)
    assert overlap(said, truth) == pytest.approx(expected)


spans = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 20)).map(lambda s: (s[0] / 4, (s[0] + s[1]) / 4)), max_size=5
)


@given(spans, spans)
def test_overlap_by_counting(truth: list[Any], said: list[Any]) -> None:
    """Quarter seconds are counted one by one."""
    ticks = [i / 4 + 0.125 for i in range(90)]
    a, b = ([any(start <= t < end for start, end in these) for t in ticks] for these in (truth, said))
    both, either = sum(map(all, zip(a, b, strict=True))), sum(map(any, zip(a, b, strict=True)))
    assert overlap(truth, said) == pytest.approx(both / either if either else 0.0)


def test_figures_over_clips(analysed_sample: Analysed) -> None:
    """Four whole clips, two spliced, one control, whose verdicts are given."""
    base = analysed_sample.analysis

    def judged(verdict: Verdict, probability: float | None, *flagged: tuple[float, float]) -> Analysis:
        template = base.segments[0]
        parts = tuple(template.model_copy(update={"start": a, "end": b}) for a, b in flagged)
        return base.model_copy(update={"verdict": verdict, "probability": probability, "segments": parts})

    yes, no, unsure = Verdict.MANIPULATED, Verdict.NOT_FOUND, Verdict.INCONCLUSIVE
    clips = [
        Clip("ffpp-c40-1.mp4", True, "face2face", (), judged(yes, 0.9)),
        Clip("ffpp-c40-2.mp4", False, "none", (), judged(no, 0.2)),
        Clip("dfdc-1.mp4", True, "dfdc", (), judged(no, 0.3)),
        Clip("dfdc-2.mp4", False, "dfdc", (), judged(unsure, None)),
        Clip("dfdc-3.mp4", False, "dfdc", (), judged(yes, 0.8)),
        Clip("splice-1.mp4", True, "x", ((0, 2),), judged(yes, 0.9, (0, 2))),
        Clip("splice-2.mp4", True, "x", ((0, 2),), judged(no, 0.4)),
        Clip("control.mp4", False, "", (), judged(yes, 0.9, (1, 2))),
    ]
    figures = clip_figures(clips)
    assert figures == pytest.approx(
        {
            "develop clips, AUC": 3 / 4,
            "develop clips of FaceForensics++ c40, AUC": 1.0,
            "develop clips, manipulated ones flagged": 1 / 2,
            "develop clips, unmanipulated ones flagged": 1 / 3,
            "develop clips, inconclusive": 1 / 5,
            "partly manipulated clips, mean temporal IoU": 1 / 2,
            "partly manipulated clips, flagged": 1 / 2,
            "control clips (a cut or a stretch compressed again), flagged": 1.0,
        }
    )
    assert found(clips[5].analysis) == [(0, 2)]


def test_real_develop_clips_are_counted(data: Path) -> None:
    """`labels.csv` names a generator for every clip, or clip_figures would take real ones for controls."""
    from detector.training.harvest import read_csv

    develop = [row for row in read_csv(data / "videos" / "labels.csv") if row["role"] == "develop"]
    assert {row["label"] for row in develop} == {"real", "fake"}
    assert all(row["generator"] for row in develop)
