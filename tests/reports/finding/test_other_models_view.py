"""What a report says of the other models of an analysis with several."""

from __future__ import annotations

from pathlib import Path

import pytest
from analyses import build, with_stability
from made_reports import with_another_model

from detector.schema.analysis import MediaKind, Verdict
from detector.schema.joint import JointRule
from detector.verdict.verdict import joint_verdict
from language import translation
from reports.finding.other_models import other_models_view
from reports.report_view import ReportInputs, report_view


def test_only_confirmed_persons_are_flagged(tmp_path: Path) -> None:
    """Pictures of the others stay with the analysis."""
    analysis = with_stability(build(tmp_path, persons=2, segments=2), B=0.6)
    view = other_models_view(with_another_model(analysis), tmp_path)
    assert view is not None and [row.flagged for row in view.rows] == ["A1", "A1"]
    assert [entry.segment.flagged for entry in view.models[0].segments] == [True, False]
    assert all("/A1-" in str(picture.path) for picture in view.pictures)
    kept = report_view(with_another_model(analysis), tmp_path).kept
    assert {path[:12] for path in kept} == {"overlays/A1-", "overlays/B1-"}


@pytest.mark.parametrize(("figures", "highest"), [((0.97, 0.004), 0), ((0.992, 0.9999), 1), ((0.7, 0.9), 1)])
def test_the_highest_peak_is_shown_however_its_figure_is_written(
    tmp_path: Path, figures: tuple[float, ...], highest: int
) -> None:
    analysis = build(tmp_path, persons=1, segments=1)
    (segment,) = analysis.segments
    peaks = [segment.peaks[0].model_copy(update={"probability": figure}) for figure in figures]
    analysis = analysis.model_copy(update={"segments": (segment.model_copy(update={"peaks": tuple(peaks)}),)})
    view = other_models_view(with_another_model(analysis), tmp_path)
    assert view is not None
    (flagged,) = view.models[0].segments
    assert flagged.peak is flagged.segment.peaks[highest]


@pytest.mark.parametrize("kind", (MediaKind.VIDEO, MediaKind.IMAGE))
@pytest.mark.parametrize(
    ("code", "term", "words"),
    [
        ("en", "interval", "Section {} explains"),
        ("de", "Intervall", "Abschnitt {} erklärt"),
        ("es", "intervalo", "La sección {} explica"),
    ],
)
def test_the_glossary_names_the_right_section(
    kind: MediaKind, code: str, term: str, words: str, tmp_path: Path
) -> None:
    base = build(tmp_path, kind=kind, persons=1, segments=1)
    for analysis, number in ((base, 4), (with_another_model(base), 5)):
        view = report_view(analysis, tmp_path, ReportInputs(language_code=code))
        assert view.sections["limits"].number == number
        assert words.format(number) in dict(view.glossary)[term]


def test_titles_with_commas_of_their_own_are_kept_apart(tmp_path: Path) -> None:
    analysis = with_another_model(build(tmp_path, persons=1, segments=1))
    titled = analysis.model.model_copy(update={"title": "Reelproof, fourth generation"})
    other = analysis.others[0].model_copy(
        update={"model": titled.model_copy(update={"title": "Reelproof Lite0, first generation"})}
    )
    joint = joint_verdict(
        JointRule.ALL, [(titled.title, analysis.verdict), (other.model.title, other.verdict)]
    )
    analysis = analysis.model_copy(update={"model": titled, "others": (other,), "joint": joint})
    view = other_models_view(analysis, tmp_path)
    assert view is not None and view.reason.endswith(
        "Manipulated: Reelproof, fourth generation; Reelproof Lite0, first generation."
    )
    with translation.speaking("de"):
        spoken = other_models_view(analysis, tmp_path)
    assert spoken is not None and [row.title for row in spoken.rows] == [
        "Reelproof, vierte Generation",
        "Reelproof Lite0, erste Generation",
    ]
    assert spoken.reason.endswith("Reelproof, vierte Generation; Reelproof Lite0, erste Generation.")
    calm = other.model_copy(update={"verdict": Verdict.INCONCLUSIVE})
    joint = joint_verdict(JointRule.ALL, [(titled.title, analysis.verdict), (calm.model.title, calm.verdict)])
    view = other_models_view(analysis.model_copy(update={"others": (calm,), "joint": joint}), tmp_path)
    assert view is not None and view.reason.endswith(
        "Manipulated: Reelproof, fourth generation. Inconclusive: Reelproof Lite0, first generation."
    )
