"""The second look: what it decides, and how an analysis tells of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from second_looks import Says, judged, with_second_look

from detector import analyze
from detector.faces.crop import crop_square, head_square
from detector.faces.detections import Detection
from detector.faces.patch import cut_patch
from detector.faces.search.networks import FaceDetector
from detector.models.loaded import LoadedModel
from detector.schema.analysis import Analysis, ManipulationKind, Parameters, Verdict
from detector.schema.model import Platt
from detector.scoring.fused_scorer import BothNetworks, FusedScorer
from detector.scoring.moments import KeptMoment
from detector.scoring.scorer import Scorer
from detector.scoring.second_look import PersonLooker


def test_clear_second_look_decides_and_is_recorded(talking: Path, model: LoadedModel) -> None:
    loud = judged(talking, model, Says((9.0, -9.0, 9.0, -9.0)))
    assert loud.verdict is Verdict.MANIPULATED
    assert loud.model.second_look is not None and loud.model.second_look.name == "says"
    assert loud.model.temperature == 1.0 and loud.model.segment is None
    (person,) = [p for p in loud.persons if p.id == "A"]
    look = person.second_look
    assert look is not None and look.stability is None
    assert look.altered > 0.9 > look.synthesised
    assert loud.answers is not None
    looks = [p.second_look for p in loud.persons if p.second_look is not None]
    assert loud.answers.altered == max(second_look.altered for second_look in looks)
    assert loud.answers.synthesised == max(second_look.synthesised for second_look in looks)
    assert "replaced or altered" in loud.reason and loud.kind is ManipulationKind.EDITED
    assert 1 <= len(look.moments) <= 8
    assert look.moments[0].inner_altered == pytest.approx(9.0, abs=0.05)
    assert all(segment.peaks for segment in loud.segments)
    assert Analysis.from_json(loud.to_json()) == loud


def test_synthesised_faces_are_named_as_such(talking: Path, model: LoadedModel) -> None:
    analysis = judged(talking, model, Says((-9.0, 9.0, -9.0, 9.0)))
    assert analysis.verdict is Verdict.MANIPULATED
    (person,) = [p for p in analysis.persons if p.id == "A"]
    look = person.second_look
    assert look is not None and look.synthesised > 0.9
    assert "generated as a whole" in analysis.reason and analysis.kind is ManipulationKind.GENERATED
    assert look.moments[0].head_synthesised == pytest.approx(9.0, abs=0.05)
    assert look.moments[0].head_altered == pytest.approx(-9.0, abs=0.05)


def test_map_shows_the_view_of_the_deciding_network(
    astronaut: np.ndarray, scan_scorer: Scorer, model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The inner face where the scan decides, by both networks where both do; the head where that does."""
    face = FaceDetector()(astronaut)[0]
    peak = Detection(0, 0.0, 0, 0, True, face.box, 0.0, 0.0, 0.0)
    monkeypatch.setattr(scan_scorer, "logits", lambda crops: np.full(len(crops), 4.0))
    sides, crops = {}, {}
    saying = {"scan": (-9.0,) * 4, "both": (5.0, -9.0, -9.0, -9.0), "head": (-9.0, -9.0, -9.0, 9.0)}
    for name, answers in saying.items():
        networks = BothNetworks.of(scan_scorer, with_second_look(model, Says(answers).eval()))
        moment = KeptMoment(0, 0.0, 0, cut_patch(astronaut, face.box), 0.0)
        rows = np.zeros(1, [("track", np.int32), ("time", float), ("logit", float)])
        look = PersonLooker(networks).look([0], rows, [moment], 8)
        assert look is not None
        scorer = FusedScorer(networks, [look])
        explainable = scorer.explainable(astronaut, peak)
        sides[name] = explainable.square.side
        crops[name] = [seen.crop.shape[0] for seen in explainable.seen]
        of_scan = scan_scorer.logits([crop_square(astronaut, peak.square, scan_scorer.card.input.size)])
        deciding = scorer.fuse(np.array([0]), np.zeros(1), of_scan).logit
        as_they_are = [[seen.crop] for seen in explainable.seen]
        assert explainable.logits(as_they_are) == pytest.approx(deciding, abs=1e-6)
    scan_side, second_side = scan_scorer.card.input.size, 32
    assert crops["scan"] == [scan_side] and crops["head"] == [second_side]
    assert sorted(crops["both"]) == [second_side, scan_side]
    assert sides["scan"] == sides["both"] == pytest.approx(peak.square.side)
    assert sides["head"] == pytest.approx(head_square(face.box, *astronaut.shape[1::-1]).side)


def test_disabled_second_look_changes_nothing(talking: Path, model: LoadedModel) -> None:
    """``second_look`` 0 gives what a model without one gives, whatever the other network would say."""
    flagged = Parameters(edge_window=0, enter_threshold=1e-12, exit_threshold=1e-13)
    loud = with_second_look(model, Says((9.0, -9.0, 9.0, -9.0)).eval())
    given = analyze(talking, model=loud, parameters=flagged.model_copy(update={"second_look": 0}))
    expected = analyze(talking, model=model.alone, parameters=flagged)
    assert given.segments and given.persons == expected.persons and given.segments == expected.segments
    assert given.model.second_look is None and given.stability is None and given.answers is None


def test_low_second_look_can_overrule_the_scan(photo: Path, model: LoadedModel) -> None:
    quiet = judged(photo, model, Says((-9.0, -9.0, -9.0, -9.0)), Platt(scale=1.0, offset=-4.0))
    assert quiet.verdict is Verdict.NOT_FOUND
    look = quiet.persons[0].second_look
    assert look is not None and len(look.moments) == 1
    assert quiet.probability is not None and quiet.probability < 0.1 and quiet.kind is None


@pytest.mark.parametrize("answers", [(-9.0, -9.0, -9.0, -9.0), (0.0, -2.0, 1.0, 2.0), (9.0, -9.0, 9.0, -9.0)])
def test_probability_of_a_photo_is_its_larger_answer(
    photo: Path, model: LoadedModel, answers: tuple[float, ...]
) -> None:
    analysis = judged(photo, model, Says(answers))
    assert analysis.answers is not None
    larger = max(analysis.answers.altered, analysis.answers.synthesised)
    assert analysis.probability == pytest.approx(larger, abs=1e-6)


def test_photos_use_the_heads_for_photographs(photo: Path, talking: Path, model: LoadedModel) -> None:
    network = Says((-2.0, -1.5, 0.5, -2.5, 7.0, 8.0))
    for exhibit, logits in ((photo, (7.0, 8.0)), (talking, (0.5, -2.5))):
        look = judged(exhibit, model, network).persons[0].second_look
        assert look is not None
        moment = look.moments[0]
        assert (moment.inner_altered, moment.inner_synthesised) == pytest.approx((-2.0, -1.5), abs=0.01)
        assert (moment.head_altered, moment.head_synthesised) == pytest.approx(logits, abs=0.01)
