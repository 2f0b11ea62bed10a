"""Reports in German and Spanish read as such where a placeholder is filled with a phrase."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from analyses import build

from detector.models.loaded import load_model
from detector.schema.analysis import MediaKind, SecondLook
from detector.schema.causes.anomalies import AnomalyCode, AnomalyPart
from detector.schema.metadata import Details, Groups, Picture, Timing
from language.translation import cause_text, speaking
from reports.exhibit.encoding import timing_facts
from reports.report_view import ReportInputs, report_view

# Nouns whose dative ends otherwise, behind a preposition that takes it; that of “bis zu” is none.
_NO_DATIVE = re.compile(
    r"(?<!bis )\b(?:an|aus|bei|in|mit|nach|seit|von|zu) [\d.]+ "
    r"(?:Abschnitte|Ausschnitte|Bilder|Einträge|Funde|Gesichter|Segmente|Zeitpunkte)\b"
)
_LOOK = SecondLook(scan=0.3, altered=0.3, synthesised=0.3, stability=None, moments=())


@pytest.mark.parametrize("kind", (MediaKind.VIDEO, MediaKind.IMAGE))
def test_counted_nouns_have_the_right_case(tmp_path: Path, kind: MediaKind) -> None:
    made = build(tmp_path, kind=kind, segments=2, kept=False)
    persons = tuple(person.model_copy(update={"second_look": _LOOK}) for person in made.persons)
    for shipped in (load_model().card.fused.as_model(), load_model("efficientnet-lstm").card.as_model()):
        analysis = made.model_copy(update={"model": shipped, "persons": persons})
        text = str(report_view(analysis, tmp_path, ReportInputs(language_code="de")))
        assert not _NO_DATIVE.findall(text)
        if kind is MediaKind.VIDEO:
            assert "(0 Zeitpunkte)" in text and "1.000 Ausschnitte)" in text


@pytest.mark.parametrize(
    ("code", "ending"),
    [
        ("de", "die Datei 00:00:10.859, der Bildstrom 00:00:10.859, Ton (Strom 1) 00:00:09.000."),
        ("es", "el archivo 00:00:10.859, el flujo de imágenes 00:00:10.859, sonido (flujo 1) 00:00:09.000."),
    ],
)
def test_durations_as_stated_name_their_places(code: str, ending: str) -> None:
    with speaking(code):
        stated = (
            AnomalyPart.FILE_DURATION.cause(stated=10.859),
            AnomalyPart.PICTURES_DURATION.cause(stated=10.859),
            AnomalyPart.SOUND_DURATION.cause(index=1, stated=9.0),
        )
        sentence = cause_text(AnomalyCode.DURATIONS_DISAGREE.cause(duration=10.28, durations=stated))
    assert sentence.endswith(ending)


def test_a_duration_that_is_not_stated_is_left_out(tmp_path: Path) -> None:
    counts = dict.fromkeys(("packets", "key_frames", "i_frames", "p_frames", "b_frames", "other_frames"), 1)
    groups = Groups(**counts, shortest=None, longest=None, median=None, lengths=(), with_leading_frames=0)
    timing = Timing(least_interval=None, greatest_interval=None, median_interval=None)
    details = Details(picture=Picture(), timing=timing, groups=groups)
    names = [fact.name for fact in timing_facts(build(tmp_path, kept=False).media, details)]
    assert "Frame intervals" in names and "Durations as stated" not in names
