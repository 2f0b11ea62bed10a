"""What a report says that its probabilities stand for: shares of faces, how few clips get one, or neither."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from analyses import build, model

from detector.models.loaded import load_model
from detector.models.model_files import SHIPPED_MODELS, load_card
from detector.schema import formatting
from detector.schema.analysis import Analysis, MediaKind, Parameters
from detector.schema.model import SecondLookModel
from language.translation import LANGUAGES
from reports.annex import general_glossary
from reports.finding.meaning import scale
from reports.report_view import ReportInputs, ReportView, report_view
from reports.wording.verbal_scale import SCALED_STRENGTHS, Basis, basis

_OF_SHARES = ("half of", "that share was", "of 100", "If the calibration applies", "about 70 of 100")
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
        (*meaning, dict(view.glossary)["calibrated probability"], view.figure.strength.definition)
        + (view.reader.probability,)
    )


def test_probabilities_of_videos_with_a_second_look_are_no_shares(tmp_path: Path) -> None:
    words = told(report_view(judged(tmp_path, MediaKind.VIDEO, second_look=True), tmp_path))
    assert not any(claim in words for claim in _OF_SHARES)
    assert words.count("few unmanipulated clips of the validation data reach") >= 5


@pytest.mark.parametrize(
    ("kind", "second_look"), [(MediaKind.VIDEO, False), (MediaKind.IMAGE, False), (MediaKind.IMAGE, True)]
)
def test_other_probabilities_are_shares(tmp_path: Path, kind: MediaKind, second_look: bool) -> None:
    words = told(report_view(judged(tmp_path, kind, second_look=second_look), tmp_path))
    assert "of which half is manipulated" in words and "If the calibration applies, 98 or more" in words
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
    assert len(re.findall("not known|unknown", words)) >= 7 + (kind is MediaKind.VIDEO)


@pytest.mark.parametrize("kind", (MediaKind.VIDEO, MediaKind.IMAGE))
def test_probabilities_of_badly_calibrated_models_are_no_shares(tmp_path: Path, kind: MediaKind) -> None:
    """As the shipped LSTM's, whose report states an error of 0.136."""
    far = {"dfdc-val crops, expected calibration error": 0.136}
    words = told(report_view(judged(tmp_path, kind, second_look=False, figures=far), tmp_path))
    assert not any(claim in words for claim in _OF_SHARES) and "few unmanipulated clips" not in words
    assert words.count("differs widely") + words.count("differ widely") == 3 + (kind is MediaKind.VIDEO)
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


def test_the_threshold_named_is_the_shipped_one() -> None:
    assert all(f" {formatting.THRESHOLDS[1]}" in step.definition for step in SCALED_STRENGTHS)


def test_the_help_tells_videos_from_photographs() -> None:
    shipped = load_model().card.fused.as_model()
    terms = dict(general_glossary(shipped))
    assert "few unmanipulated clips" in terms["calibrated probability of a video"]
    assert (
        "of 100 faces there with a probability of 0.70, about 70"
        in terms["calibrated probability of a photograph"]
    )
    assert "calibrated probability" not in terms
    scan = load_card()[0].as_model()
    figures = scan.figures | {"dfdc-val crops, expected calibration error": 0.02}
    calibrated = scan.model_copy(update={"figures": figures})
    near, far = (dict(general_glossary(judging)) for judging in (calibrated, scan))
    assert "of 100 faces there with a probability of 0.70, about 70" in near["calibrated probability"]
    assert "widely from the share" in far["calibrated probability"]
    assert "not known how" in dict(general_glossary(model()))["calibrated probability"]


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
