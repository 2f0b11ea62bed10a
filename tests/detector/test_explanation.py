"""The finding first: what is published before it is explained, and what an explanation may not change."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import pytest

from detector.engine import analyze
from detector.models.loaded import LoadedModel
from detector.schema.analysis import Analysis, Parameters
from detector.segments.explained_peaks import PeakExplainer
from verification.checks import CheckResults
from verification.consistency import check_fields

_FLAGGED = Parameters(enter_threshold=1e-12, exit_threshold=1e-13, second_look=0)
_OF_THE_PHOTOGRAPH = {"photo.png", "faces.png"}


def drawn(folder: Path) -> set[str]:
    return {path.name for path in (folder / "overlays").iterdir()}


@pytest.fixture(scope="module")
def photograph(tmp_path_factory: pytest.TempPathFactory, portrait: np.ndarray) -> Path:
    path = tmp_path_factory.mktemp("photograph") / "portrait.png"
    cv2.imwrite(str(path), np.ascontiguousarray(portrait[..., ::-1]))
    return path


def contradictions(analysis: Analysis) -> list[str]:
    results = CheckResults()
    check_fields("analysis.json", analysis, results)
    return [str(problem) for problem in results.problems]


def test_the_finding_is_published_first_and_stays(
    photograph: Path, scan: LoadedModel, tmp_path: Path
) -> None:
    published: list[Analysis] = []

    def publish(analysis: Analysis) -> None:
        assert drawn(tmp_path) == _OF_THE_PHOTOGRAPH and analysis.picture
        published.append(analysis)

    complete = analyze(photograph, model=scan, parameters=_FLAGGED, images=tmp_path, publish=publish)
    (finding,) = published
    assert finding.has_segments and not finding.explained and complete.explained
    assert all(segment.peaks for segment in complete.segments)
    bare = [segment.model_copy(update={"peaks": ()}) for segment in complete.segments]
    assert complete.model_copy(update={"segments": tuple(bare), "explained": False}) == finding
    assert contradictions(finding) == contradictions(complete) == []
    claims = finding.model_copy(update={"explained": True, "segments": ()})
    assert contradictions(claims.model_copy(update={"explained": False}))


def test_nothing_is_published_early_where_nothing_follows(photograph: Path, scan: LoadedModel) -> None:
    unflagged = Parameters(enter_threshold=0.9999, exit_threshold=0.9998, second_look=0)
    analysis = analyze(photograph, model=scan, parameters=unflagged, publish=pytest.fail)
    assert analysis.explained and not analysis.segments
    bare = analyze(photograph, model=scan, parameters=_FLAGGED, publish=pytest.fail, explain=False)
    assert bare.segments and not bare.explained


def test_an_error_costs_the_explanation_alone(photograph: Path, scan: LoadedModel, tmp_path: Path) -> None:
    with mock.patch.object(PeakExplainer, "compare", side_effect=ValueError("broken")):
        analysis = analyze(photograph, model=scan, parameters=_FLAGGED, images=tmp_path)
    assert analysis.segments and not analysis.explained and not analysis.segments[0].peaks
    assert analysis.picture and drawn(tmp_path) == _OF_THE_PHOTOGRAPH
    assert contradictions(analysis) == []


def test_what_ends_the_analysis_ends_it_while_explaining(photograph: Path, scan: LoadedModel) -> None:
    class EndedError(Exception):
        pass

    def progress(stage: str, _share: float) -> None:
        if stage == "explaining":
            raise EndedError

    with pytest.raises(EndedError):
        analyze(photograph, model=scan, parameters=_FLAGGED, progress=progress)
