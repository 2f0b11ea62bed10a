"""Numbers, times and names in words: no rounding reaches certainty, or a threshold that is not reached."""

from __future__ import annotations

from pathlib import Path

import pytest
from analyses import build, check

from detector import Parameters
from detector.files import ROOT
from detector.schema import formatting
from detector.schema.analysis import MediaKind
from language import formatting as language_formatting
from language import translation
from language.formatting import timecode
from reports.report_view import report_view
from reports.wording.heatmaps import check_words
from reports.wording.verbal_scale import SCALED_STRENGTHS, STRENGTHS, strength


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


@pytest.mark.parametrize(
    ("value", "phrase"),
    [
        (1.0, "very strong indication"),
        (0.98, "very strong indication"),
        (0.9751, "very strong indication"),  # printed as 0.98
        (0.9749, "strong indication"),
        (0.7, "moderate indication"),
        (0.5, "weak indication"),
        (0.4999, "weak indication"),
        # Set so low, the threshold flags what the scale calls no indication.
        (0.4949, "below the lowest indication of the scale (0.50), flagged at the threshold of 0.75"),
        (0.0, "below the lowest indication of the scale (0.50), flagged at the threshold of 0.75"),
    ],
)
def test_strength_bounds(value: float, phrase: str, tmp_path: Path) -> None:
    assert strength(build(tmp_path, kept=False), value).phrase == phrase


def test_no_strength_speaks_of_real_or_fake() -> None:
    text = " ".join(step.phrase + step.definition for step in (*STRENGTHS, *SCALED_STRENGTHS)).lower()
    assert not any(word in text for word in ("real", "authentic", "fake", "genuine"))


def test_sizes_keep_the_exact_number() -> None:
    assert language_formatting.size(12_412_345) == "12.4 MB (12,412,345 bytes)"
    assert language_formatting.size(1) == "1 byte"
    assert language_formatting.size(999) == "999 bytes"


@pytest.mark.parametrize(
    ("fraction", "variable", "text"),
    [
        ("25/1", False, "25 frames a second, constant"),
        ("30000/1001", False, "29.97 frames a second (30000/1001), constant"),
        ("30000/1001", True, "29.97 frames a second (30000/1001), variable; the figure is the average"),
        ("0/0", False, "0/0 frames a second, constant"),
        ("odd", False, "odd frames a second, constant"),
        (None, False, "not stated by the file"),
    ],
)
def test_frame_rate(fraction: str | None, variable: bool, text: str) -> None:
    assert language_formatting.frame_rate(fraction, variable) == text


def test_measured_frame_rate_comes_before_a_stated_one_that_counts_repetitions() -> None:
    assert language_formatting.frame_rate("25/1", False, 24.8) == "25 frames a second, constant"
    rate = language_formatting.frame_rate("25/1", False, 8.5)
    assert rate == "8.5 frames a second, constant; the file states 25"


def test_file_name_spells_out_bidirectional_overrides_and_controls() -> None:
    assert language_formatting.file_name("clip\u202e4pm.exe") == r"clip\u202e4pm.exe"
    assert language_formatting.file_name("a\nb\x00c") == r"a\nb\x00c"
    assert language_formatting.file_name("مقابلة 映像.mp4") == "مقابلة 映像.mp4"


def test_shortened_keeps_both_ends_and_counts_wide_letters_twice() -> None:
    short = language_formatting.shortened("a" * 200 + ".mp4")
    assert short.endswith(".mp4") and "…" in short and len(short) <= 64
    wide = language_formatting.shortened("映" * 100 + ".mp4")
    assert wide.endswith(".mp4") and len(wide) <= 36
    assert language_formatting.shortened("short.mp4") == "short.mp4"


def test_a_map_is_confirmed_only_if_hiding_it_lowers_the_score_clearly() -> None:
    good, poor = check(True), check(False)
    assert good.confirmed and not poor.confirmed
    assert "shows what the model used" in check_words(good)
    assert "should not be relied upon" in check_words(poor)
    few = good.model_copy(update={"areas": 2})
    assert "covers only 2 random areas instead of 8" in check_words(few)
    single_area = good.model_copy(update={"areas": 1})
    assert "covers only 1 random area instead of 8" in check_words(single_area)
    assert "This average is rough" not in check_words(good)
    large_but_common = good.model_copy(update={"drop_highlight": 3.0, "drop_random": 2.0})
    assert not large_but_common.confirmed
    rises = good.model_copy(update={"drop_highlight": -0.1, "drop_random": -2.0})
    assert not rises.confirmed


def test_signed_uses_a_real_minus() -> None:
    assert language_formatting.signed(-3.111) == "−3.11"
    assert language_formatting.signed(0.5) == "+0.50"
