"""What a report says that its scores stand for: shares of faces, how few clips get one, or neither."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from analyses import build, model

from detector.models.loaded import load_model
from detector.models.model_files import SHIPPED_MODELS, load_card
from detector.schema.analysis import Analysis, MediaKind, Parameters
from detector.schema.model import SecondLookModel
from detector.schema.strength import MaterialKind
from detector.voice.card import read_voice_card
from language.translation import LANGUAGES
from reports.annex import general_glossary
from reports.finding.meaning import scale
from reports.report_view import ReportInputs, ReportView, report_view
from reports.wording.verbal_scale import Basis, basis, steps

_OF_SHARES = ("half of", "half is", "half are", "of 100", "about 70 of 100")
_SHIPPED = {"dfdc-val crops, expected calibration error": 0.02}
_LOOK = SecondLookModel(name="second", architecture="vit_small_14", sha256="c4" * 32)


def judged(
    folder: Path, kind: MediaKind, *, second_look: bool, figures: dict[str, float] = _SHIPPED
) -> Analysis:
    made = build(folder, kind=kind, segments=1, kept=False)
    changed = {"second_look": _LOOK if second_look else None, "figures": figures}
    return made.model_copy(update={"model": made.model.model_copy(update=changed)})


def told(view: ReportView) -> str:
    """All that a report says of what its figures mean."""
    strengths = [step.definition for step in view.meaning.strengths]
    meaning = (*view.meaning.verdict_meaning, view.meaning.scale, *strengths)
    assert view.figure.strength is not None
    return " ".join(
        (*meaning, dict(view.glossary)["score"], view.figure.strength.definition) + (view.reader.probability,)
    )


def test_scores_of_videos_with_a_second_look_are_no_shares(tmp_path: Path) -> None:
    words = told(report_view(judged(tmp_path, MediaKind.VIDEO, second_look=True), tmp_path))
    assert not any(claim in words for claim in _OF_SHARES)
    assert words.count("few unmanipulated clips of the validation data reach") == 4


@pytest.mark.parametrize(
    ("kind", "second_look"), [(MediaKind.VIDEO, False), (MediaKind.IMAGE, False), (MediaKind.IMAGE, True)]
)
def test_other_scores_are_shares(tmp_path: Path, kind: MediaKind, second_look: bool) -> None:
    words = told(report_view(judged(tmp_path, kind, second_look=second_look), tmp_path))
    for match in re.finditer("calibrated on|about 70", words):
        assert "half" in words[max(match.start() - 300, 0) : match.end() + 100], "the assumed share is stated"
    assert words.count("half") >= 3
    assert ("about 70" in words) is not second_look, "no share was measured of photographs"
    assert "few unmanipulated clips" not in words


@pytest.mark.parametrize("kind", (MediaKind.VIDEO, MediaKind.IMAGE))
@pytest.mark.parametrize(
    "figures", [{}, {"crops, expected calibration error": 0.1275, "clips, expected calibration error": 0.01}]
)
def test_unknown_calibration_is_stated_as_unknown(
    tmp_path: Path, kind: MediaKind, figures: dict[str, float]
) -> None:
    """As of an ONNX file, or of one trained on a set whose validation split holds 12 pictures."""
    words = told(report_view(judged(tmp_path, kind, second_look=False, figures=figures), tmp_path))
    assert not any(claim in words for claim in _OF_SHARES) and "few unmanipulated clips" not in words
    assert words.count("not known") == 4


@pytest.mark.parametrize("kind", (MediaKind.VIDEO, MediaKind.IMAGE))
def test_scores_of_badly_calibrated_models_are_no_shares(tmp_path: Path, kind: MediaKind) -> None:
    """As the shipped LSTM's, whose report states an error of 0.136."""
    far = {"dfdc-val crops, expected calibration error": 0.136}
    words = told(report_view(judged(tmp_path, kind, second_look=False, figures=far), tmp_path))
    assert not any(claim in words for claim in _OF_SHARES) and "few unmanipulated clips" not in words
    assert words.count("differs widely") == 4
    assert "not known how" not in words


def test_every_shipped_card_states_its_calibration() -> None:
    far_off = set()
    for name in SHIPPED_MODELS:
        shipped = load_card(name)[0].as_model()
        stands = basis(shipped, still=False)
        assert stands is basis(shipped, still=True) and stands is not Basis.UNKNOWN, name
        if stands is Basis.OFF:
            far_off.add(name)
    assert far_off == {"efficientnet-lstm", "reelproof"}  # the latter as a scan alone


def test_the_scale_states_how_often_each_strength_is_wrong() -> None:
    faces, voices = load_model().card.as_model().figures, read_voice_card().figures
    scales = [steps(voices if kind is MaterialKind.VOICE else faces, kind) for kind in MaterialKind]
    for kind, scale_of in zip(MaterialKind, scales, strict=True):
        counts = [list(map(int, re.findall(r"\d+", step.definition.replace(",", "")))) for step in scale_of]
        assert all(len(of) == 4 for of in counts), kind
        wrong, unmanipulated, right, manipulated = zip(*counts, strict=True)
        assert len({*unmanipulated}) == len({*manipulated}) == 1
        assert wrong == tuple(sorted(wrong)) and right == tuple(sorted(right)), "the stronger, the fewer"
        assert wrong[0] <= 0.0125 * unmanipulated[0] and wrong[1] <= 0.025 * unmanipulated[0], kind
    assert [step.figures for step in scales[0]] == ["0.90 and above", "0.80 to 0.89", "below 0.80"]
    text = " ".join(step.phrase + step.definition for scale_of in scales for step in scale_of).lower()
    assert not any(word in text for word in ("real", "authentic", "fake", "genuine"))


def test_the_help_tells_videos_from_photographs() -> None:
    shipped = load_model().card.fused.as_model()
    terms = dict(general_glossary(shipped))
    assert "few unmanipulated clips" in terms["score of a video"]
    assert "photographs of which half are manipulated" in terms["score of a photograph"]
    assert "speech" in terms["score of a voice"] and "score" not in terms
    scan = load_card()[0].as_model()
    figures = scan.figures | {"dfdc-val crops, expected calibration error": 0.02}
    calibrated = scan.model_copy(update={"figures": figures})
    near, far = (dict(general_glossary(judging)) for judging in (calibrated, scan))
    assert "of 100 faces there with a score of 0.70, about 70" in near["score"]
    assert "widely from the share" in far["score"]
    assert "not known how" in dict(general_glossary(model()))["score"]


def test_the_glossary_distinguishes_flagged_and_other_segments() -> None:
    definition = dict(general_glossary(None))["segment"]
    assert "reaches the threshold" in definition and "looked at, not flagged" in definition
    assert "flagged" not in Parameters.model_fields["edge_window"].description  # type: ignore[operator]


def test_the_scale_refers_to_a_laboratorys_ratio(tmp_path: Path) -> None:
    analysis = judged(tmp_path, MediaKind.VIDEO, second_look=True)
    assert "No likelihood ratio is stated" in scale(analysis)
    assert "No likelihood ratio" not in scale(analysis, 9) and "Section 9 states" in scale(analysis, 9)


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
@pytest.mark.parametrize(
    ("known", "figures"),
    [(True, {}), (False, {}), (False, {"dfdc-val crops, expected calibration error": 0.136})],
)
def test_translations_state_the_same(
    tmp_path: Path, code: str, known: bool, figures: dict[str, float]
) -> None:
    analysis = judged(tmp_path, MediaKind.VIDEO, second_look=known, figures=figures)
    english = report_view(analysis, tmp_path)
    view = report_view(analysis, tmp_path, ReportInputs(language_code=code))
    for original, other in zip(english.meaning.strengths, view.meaning.strengths, strict=True):
        assert original.definition != other.definition
    assert english.meaning.scale != view.meaning.scale and ("0,65" in view.meaning.scale) is known
    assert english.reader.probability != view.reader.probability
