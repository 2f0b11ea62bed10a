"""What a report says of an exhibit's metadata in German: words of ours, and nothing of what files say."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from analyses import build
from detailed_analysis import detailed

from detector.metadata.anomalies import clock_anomalies, program_anomalies
from detector.metadata.video_anomalies import container_anomalies
from detector.schema.analysis import MediaKind
from detector.schema.causes.anomalies import AnomalyCode
from detector.schema.causes.cause import Cause
from detector.schema.causes.declarations import NoteCode
from detector.schema.metadata import (
    Anomaly,
    Credentials,
    Details,
    Encoding,
    Moment,
    Photo,
    Table,
    Tag,
)
from language.translation import gettext, speaking, text_of
from reports.exhibit.metadata import AnomalyView
from reports.report_view import ReportInputs, report_view


def test_the_encoding_of_a_photo_is_translated(tmp_path: Path) -> None:
    tables = tuple(Table(quality=90, exact=True) for _ in range(4))
    photo = Photo(format="JPEG", mode="RGB", progressive=False, subsampling="4:2:0", tables=tables)
    analysis = build(tmp_path, kept=False, kind=MediaKind.IMAGE)
    media = analysis.media.model_copy(update={"details": Details(photo=photo)})
    view = report_view(
        analysis.model_copy(update={"media": media}), tmp_path, ReportInputs(language_code="de")
    )
    facts = {fact.name: fact.value for fact in view.metadata.encoding}
    assert facts["JPEG"] == "sequenziell"
    names = ("Helligkeit", "Farbe", "dritte Tabelle", "vierte Tabelle")
    assert all(f"Quantisierung, {name}" in facts for name in names)
    assert facts["Farbprofil"] == facts["EXIF-Vorschaubild"] == "nicht vorhanden"


def test_a_video_without_sound_is_told_in_german(tmp_path: Path) -> None:
    analysis = build(tmp_path, kept=False)
    media = analysis.media.model_copy(update={"has_sound": False})
    view = report_view(
        analysis.model_copy(update={"media": media}), tmp_path, ReportInputs(language_code="de")
    )
    assert ("Ton", "nicht vorhanden") in {(fact.name, fact.value) for fact in view.recording}


@pytest.mark.parametrize(
    ("note", "remark"),
    [
        (
            NoteCode.CREDENTIALS_UNDEFINED.cause(),
            "Für diese Art von Datei sind Content Credentials nicht definiert.",
        ),
        (
            NoteCode.CREDENTIALS_LIBRARY_MISSING.cause(import_error="No module named 'c2pa'"),
            "c2pa-python ist hier nicht verwendbar: No module named 'c2pa'. Zum Prüfen muss es "
            "installiert werden.",
        ),
        (
            NoteCode.CREDENTIALS_ELSEWHERE.cause(),
            "Die Datei nennt ein Manifest an anderer Stelle. Es wurde nicht abgerufen.",
        ),
    ],
)
def test_the_remark_on_credentials_is_translated(tmp_path: Path, note: Cause, remark: str) -> None:
    analysis = detailed(tmp_path, credentials=Credentials(checked=False, cause=note))
    view = report_view(analysis, tmp_path, ReportInputs(language_code="de"))
    assert ("Bemerkung", remark) in {(fact.name, fact.value) for fact in view.metadata.credentials}


PLACES = {
    "file": "Datei",
    "stream 0": "Strom 0",
    "track 2": "Spur 2",
    "PNG text": "PNG-Text",
    "JPEG comment": "JPEG-Kommentar",
    "GIF comment": "GIF-Kommentar",
    "EXIF": "EXIF",
    "XMP": "XMP",
}


@pytest.mark.parametrize(("place", "label"), PLACES.items())
def test_places_of_tags_and_times_are_translated(tmp_path: Path, place: str, label: str) -> None:
    details = Details(
        tags=(Tag(place=place, name="file", value="“a” (file, b)"),),
        times=(Moment(place=place, name="file", written="1904", utc=None),),
    )
    analysis = detailed(tmp_path, details=details)
    view = report_view(analysis, tmp_path, ReportInputs(language_code="de")).metadata
    assert view.tags == ((label, "file", "“a” (file, b)"),)
    assert view.times[0][0] == f"{label}, file"


@pytest.mark.parametrize("code", ["de", "es"])
def test_every_kind_of_anomaly_is_translated(code: str) -> None:
    with speaking(code):
        assert [anomaly for anomaly in AnomalyCode if gettext(anomaly.kind) == anomaly.kind] == []


def test_anomalies_of_earlier_versions_stay_in_english(tmp_path: Path) -> None:
    point = Anomaly(kind="edit list", observation="It waits.", concern="Hidden frames.", innocent="Trimming.")
    analysis = detailed(tmp_path, anomalies=(point,))
    view = report_view(analysis, tmp_path, ReportInputs(language_code="de")).metadata
    assert view.anomalies == (AnomalyView("It waits.", "Hidden frames.", "Trimming."),)


@pytest.mark.parametrize(("place", "label"), PLACES.items())
def test_points_to_check_are_translated_and_quote_values(place: str, label: str) -> None:
    names = ("encoder, video", "software", "Tool", "history", "vendor")
    tags = tuple(Tag(place=place, name=name, value=f"video, (file, {name}) Lavf") for name in names)
    early = "1904-01-01T00:00:00Z"
    times = tuple(Moment(place=place, name=name, written="1904", utc=early) for name in names)
    never = Moment(place=place, name="file", written="no time", utc=None)
    anomalies = (
        *program_anomalies(tags),
        *clock_anomalies((*times, never), datetime(2026, 11, 27, tzinfo=UTC)),
    )
    with speaking("de"):
        points = [text_of(anomaly.cause, "").partition(": ")[2] for anomaly in anomalies]
    assert points == [
        ", ".join(f"„video, (file, {name}) Lavf“ ({label}, {name})" for name in names[:4])
        + " und 1 weitere.",
        ", ".join(f"{early} ({label}, {name})" for name in names[:4]) + " und 1 weitere.",
        f"no time ({label}, file).",
    ]


@pytest.mark.parametrize(
    ("code", "ending"),
    [
        ("de", "2 verschiedene Einstellungen des Encoders und 3 verschiedene Sequenzköpfe"),
        ("es", "2 ajustes distintos del codificador y 3 cabeceras de secuencia distintas"),
    ],
)
def test_several_encoding_anomalies_are_translated(tmp_path: Path, code: str, ending: str) -> None:
    encoding = Encoding(texts=("a", "b"), parameter_sets=3)
    anomalies = container_anomalies(build(tmp_path, kept=False).media, Details(encoding=encoding))
    (point,) = (anomaly for anomaly in anomalies if anomaly.kind == "more than one encoding")
    with speaking(code):
        assert text_of(point.cause, "").endswith(f" {ending}.")
