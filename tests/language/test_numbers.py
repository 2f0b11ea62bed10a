"""Numbers, times and names in words: no rounding reaches certainty, or a threshold that is not reached."""

from __future__ import annotations

from pathlib import Path

import pytest
from analyses import build

from detector import Parameters
from detector.files import ROOT
from detector.schema import formatting
from detector.schema.analysis import MediaKind
from language import formatting as language_formatting
from language import translation
from language.formatting import timecode
from reports.report_view import report_view


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "00:00:00.000"),
        (0.9996, "00:00:01.000"),
        (59.9999, "00:01:00.000"),
        (3599.4, "00:59:59.400"),
        (3661.25, "01:01:01.250"),
        (360000.001, "100:00:00.001"),
    ],
)
def test_timecode_carries_into_seconds_minutes_and_hours(seconds: float, text: str) -> None:
    assert timecode(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.9999, ">\u00a00.99"), (0.99, "0.99"), (0.0001, "<\u00a00.01"), (0.945, "0.94"), (None, "not judged")],
)
def test_probability_never_reads_as_certainty(value: float | None, text: str) -> None:
    assert language_formatting.probability(value) == text


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("en", "0.72 to >\u00a00.99"),
        ("de", "0,72 bis >\u00a00,99"),
        ("es", "0,72 a >\u00a00,99"),
    ],
)
def test_comparison_signs_stay_with_their_probability(code: str, text: str) -> None:
    with translation.speaking(code):
        assert (
            language_formatting.from_to(
                language_formatting.probability(0.72), language_formatting.probability(0.997)
            )
            == text
        )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.65, "0.65"),
        (0.6499818, "0.649"),
        (0.648, "0.648"),
        (0.6449, "0.64"),
        (0.3971, "0.397"),
        (0.4, "0.40"),
    ],
)
def test_rounding_reaches_no_threshold_that_the_figure_does_not(value: float, text: str) -> None:
    assert language_formatting.probability(value) == text


def test_figures_are_printed_by_the_shipped_thresholds_in_scripts_too() -> None:
    shipped = Parameters()
    assert (shipped.doubt_threshold, shipped.enter_threshold) == formatting.THRESHOLDS
    script = (ROOT / "static" / "js" / "formats.js").read_text(encoding="utf-8")
    assert f"const THRESHOLDS = {list(formatting.THRESHOLDS)};" in script


def test_rounding_does_not_reach_a_chosen_threshold() -> None:
    assert language_formatting.probability(0.4268) == "0.43"
    assert language_formatting.probability(0.4268, 0.43) == "0.426"
    assert language_formatting.probability(0.43, 0.43) == "0.43"
    assert language_formatting.probability(0.6498, 0.43) == "0.649"
    with formatting.never_rounding_up_to(0.2, 0.43):
        assert [language_formatting.probability(figure) for figure in (0.4268, 0.1961, 0.6498)] == [
            "0.426",
            "0.196",
            "0.649",
        ]
    assert language_formatting.probability(0.4268) == "0.43"


@pytest.mark.parametrize("kind", (MediaKind.VIDEO, MediaKind.IMAGE))
def test_no_figure_of_a_report_reads_as_the_threshold_its_analysis_was_made_with(
    tmp_path: Path, kind: MediaKind
) -> None:
    made = build(tmp_path, segments=0, kind=kind)
    below = [person.model_copy(update={"probability": 0.7496}) for person in made.persons]
    parameters = made.parameters.model_copy(update={"enter_threshold": 0.75, "doubt_threshold": 0.7})
    changes = {"probability": 0.7496, "persons": tuple(below), "parameters": parameters}
    view = report_view(made.model_copy(update=changes), tmp_path)
    lanes = [lane.detail for lane in view.timeline.lanes] if kind is MediaKind.IMAGE else []
    figures = [view.figure.text, *(person.figure for person in view.persons), *lanes]
    assert set(figures) == {"0.749"}
    assert "0.749" in view.figure_words
