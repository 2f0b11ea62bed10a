"""Counts and words of tables: what they are of, and in which language."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from analyses import build, media, with_stability
from told import procedure

from detector.schema.analysis import Analysis, MediaKind, Range
from detector.schema.metadata import Details, Groups, Picture, Stream, Timing
from language import formatting
from language.translation import speaking
from reports.exhibit.metadata import metadata_view
from reports.exports.editing import named
from reports.validation.error_rates import measured_errors
from reports.wording.verdict_sentence import second_look


def photo(folder: Path, **stability: float) -> Analysis:
    """Three judged faces, of whom the first two are flagged."""
    made = build(folder, kind=MediaKind.IMAGE, persons=3, segments=2, kept=False)
    return with_stability(made, **stability)


def test_odds_are_averaged_over_faces_on_which_views_agree(tmp_path: Path) -> None:
    assert "averaged over its 3 judged faces, " in procedure(photo(tmp_path))
    words = procedure(photo(tmp_path, B=0.6))
    assert "averaged over those 2 of its 3 judged faces on which the views agree, " in words


@pytest.mark.parametrize(("share", "words"), [(1.0, "1"), (0.8, "0.8"), (2 / 3, "0.67")])
def test_a_stability_of_one_is_one(tmp_path: Path, share: float, words: str) -> None:
    person = with_stability(build(tmp_path, kept=False), A=share).persons[0]
    assert f"; stability {words}" in second_look(person)


def test_tables_of_the_file_speak_the_language_of_the_report() -> None:
    picture = Picture(bit_rate=1_400_000, declared_bit_rate=1_339_000, level=31)
    timing = Timing(least_interval=1 / 30, greatest_interval=1 / 30, median_interval=1 / 30)
    counts = {name: 1 for name, field in Groups.model_fields.items() if field.annotation is int}
    groups = Groups(**counts, shortest=None, longest=None, median=None, lengths=())
    stream = Stream(index=0, kind="subtitle", codec="mov_text", examined=False)
    details = Details(picture=picture, timing=timing, groups=groups, streams=(stream,))
    with speaking("de"):
        view = metadata_view(media(MediaKind.VIDEO, 60.0, details=details))
    text = " ".join(f"{fact.value} {fact.note}" for fact in (*view.encoding, *view.timing))
    assert view.streams[0][1] == "Untertitel, mov_text"
    assert "konstant, 33,333 ms" in text and "angegeben: 1339 kbit/s" in text
    assert not any(english in text for english in ("constant", "stated", "level", "other"))


def test_units_of_ranges_speak_it_too(tmp_path: Path) -> None:
    made = build(tmp_path, kept=False)
    ranges = (
        Range(name="contrast", unit="levels", least=16, most=75, basis=""),
        Range(name="frame rate", unit="frames/s", least=None, most=30, basis=""),
    )
    model = made.model.model_copy(update={"validated": ranges})
    with speaking("de"):
        rows = measured_errors(made.model_copy(update={"model": model})).domain
    assert [row.range for row in rows] == ["16 bis 75 Stufen", "beliebig bis 30 Bilder/s"]


@pytest.mark.parametrize(
    ("language", "one", "many"),
    [
        ("en", "1 frame a second", "2 frames"),
        ("de", "1 Bild je Sekunde", "2 Bilder"),
        ("es", "1 fotograma por", "2 fotogramas"),
    ],
)
def test_one_frame_a_second(language: str, one: str, many: str) -> None:
    with speaking(language):
        for rate, words in (("1/1", one), ("2/1", many)):
            assert formatting.frame_rate(rate, False).startswith(words)
            assert formatting.average_rate(rate).startswith(words)
            assert formatting.frame_rate("25/1", False, 1.0 if words == one else 2.0).startswith(words)
    assert (named(Fraction(1)), named(Fraction(2))) == ("1 frame a second", "2 frames a second")
