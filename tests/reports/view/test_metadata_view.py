"""What a report says of the file's making, of the model's errors and of the domain."""

from __future__ import annotations

import hashlib
import json
import shlex
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path

import pytest
from analyses import EXHIBIT_SHA256, build

from detector.cli.engine_options import add_engine_options, parameters_from
from detector.metadata.anomalies.clocks import of_times
from detector.metadata.anomalies.programs import of_programs
from detector.metadata.anomalies.video import of_video
from detector.models.card_files import DEFAULT, load_card
from detector.schema.analysis import Analysis, MediaKind, Parameters, Rate, Software
from detector.schema.metadata import (
    Anomaly,
    Credentials,
    Details,
    Encoding,
    Failure,
    Groups,
    Moment,
    Photo,
    Picture,
    Stream,
    Structure,
    Table,
    Tag,
    Timing,
)
from detector.schema.method.parameters import LACKING
from reports.inputs.exhibit_check import ExhibitCheck, check_exhibit
from reports.render.html import render_html
from reports.text.translation.language import speaking, translated
from reports.view.metadata.credentials import short
from reports.view.report import report_view
from reports.view.report_inputs import ReportInputs
from reports.view.reproduction import DEFAULT_WEIGHTS, EARLIER_DEFAULTS, _command


def detailed(folder: Path, **changes: object) -> Analysis:
    analysis = build(folder, kept=False)
    details = Details(
        streams=(
            Stream(index=0, kind="video", codec="h264", examined=True, duration=60),
            Stream(index=1, kind="audio", codec="aac", examined=False, channels=2, sample_rate=48_000),
        ),
        picture=Picture(
            profile="High",
            level=31,
            codec_tag="avc1",
            bit_rate=4_000_000,
            sample_aspect_ratio="4/3",
            declared_frame_rate="30000/1001",
            container_duration=61.5,
        ),
        groups=Groups(
            packets=1798,
            key_frames=8,
            shortest=12,
            longest=250,
            median=250,
            lengths=(),
            with_leading_frames=0,
            i_frames=8,
            p_frames=590,
            b_frames=1200,
            other_frames=0,
        ),  # fmt: skip
        timing=Timing(
            least_interval=0.0333,
            greatest_interval=0.0667,
            median_interval=0.0333,
            failures=tuple(Failure(time=i, what="a packet the decoder refused") for i in range(40)),
        ),
        structure=Structure(brand="isom", compatible=("mp41",), boxes=("ftyp", "moov", "mdat")),
        tags=(Tag(place="file", name="encoder", value="<script>alert(1)</script>\\u202e"),),
        times=(Moment(place="file", name="created", written="3", utc="2024-05-06T07:08:09Z"),),
        location="+52.5/",
    )
    media = analysis.media.model_copy(
        update={
            "details": details,
            "frames_undecodable": 40,
            "anomalies": (
                Anomaly(kind="edit list", observation="seen", concern="matters", innocent="harmless"),
            ),
            "credentials": Credentials(checked=True, library="c2pa-python 0"),
            **changes,
        }
    )
    return analysis.model_copy(update={"media": media})


def page(analysis: Analysis, folder: Path, now: ExhibitCheck | None = None) -> str:
    return render_html(report_view(analysis, folder, ReportInputs(check=now)), {}, ())


def test_facts_are_told(tmp_path: Path) -> None:
    text = page(detailed(tmp_path), tmp_path)
    for wanted in (
        "High, level 3.1",
        "isom",
        "4 : 3; frames were judged unstretched",
        "12 to 250 frames apart, median 250",
        "8 I, 590 P, 1,200 B",
        "30000/1001 (29.97 a second)",
        "constant, 33.300 to 66.700 ms",
        "2 channels, 48,000 Hz",
        "2024-05-06 07:08:09Z",
        "harmless",
        "none found",
        "their absence proves nothing",
        "The first 24 of 40",
        "personal data",
    ):
        assert wanted in text, wanted


@pytest.mark.parametrize("text", ["nonsense", "1/0"])
def test_fractions_that_are_none_are_shown_as_they_are(tmp_path: Path, text: str) -> None:
    analysis = detailed(tmp_path)
    details = analysis.media.details
    assert details is not None and details.picture is not None
    picture = details.picture.model_copy(update={"declared_frame_rate": text, "sample_aspect_ratio": text})
    media = analysis.media.model_copy(update={"details": details.model_copy(update={"picture": picture})})
    shown = report_view(analysis.model_copy(update={"media": media}), tmp_path).metadata
    fitting = "Least rate that fits all time stamps"
    assert [(fact.value, fact.note) for fact in shown.timing if fact.name == fitting] == [
        (text, "a guess of FFmpeg")
    ]
    (shape,) = [fact.value for fact in shown.encoding if fact.name == "Shape of a pixel"]
    assert shape.startswith(text.replace("/", " : "))


def test_an_animation_has_no_rate_but_the_average_and_key_frames_that_are_not_known(tmp_path: Path) -> None:
    analysis = detailed(tmp_path)
    details = analysis.media.details
    assert details is not None and details.groups is not None
    groups = details.groups.model_copy(update={"packets": 0, "key_frames": 0, "shortest": None})
    changed = {"container": "webp_pipe", "details": details.model_copy(update={"groups": groups})}
    media = analysis.media.model_copy(update=changed)
    shown = report_view(analysis.model_copy(update={"media": media}), tmp_path).metadata
    told = {fact.name: fact.value for fact in shown.timing}
    assert told["Key frames"] == "not known"
    assert [name for name in told if "rate" in name] == ["Frame rate on average"]


@pytest.mark.parametrize(
    ("codec", "level", "words"),
    [
        ("h264", 31, "High, level 3.1"),
        ("hevc", 93, "High, level 3.1"),
        ("av1", 5, "High, level 3.1"),
        ("libdav1d", 8, "High, level 4.0"),
        ("av1", 0, "High, level 2.0"),
        ("av1", 31, "High, of maximum parameters instead of a level"),
        ("mpeg2video", 8, "High, level 8"),
        ("av1", None, "High"),
    ],
)
def test_a_level_is_written_as_its_standard_does(
    tmp_path: Path, codec: str, level: int | None, words: str
) -> None:
    analysis = detailed(tmp_path)
    details = analysis.media.details
    assert details is not None and details.picture is not None
    picture = details.picture.model_copy(update={"level": level})
    changed = {"codec": codec, "details": details.model_copy(update={"picture": picture})}
    media = analysis.media.model_copy(update=changed)
    shown = report_view(analysis.model_copy(update={"media": media}), tmp_path).metadata
    assert [fact.value for fact in shown.encoding if fact.name == "Codec's profile"] == [words]


def test_tags_are_text_and_never_markup(tmp_path: Path) -> None:
    text = page(detailed(tmp_path), tmp_path)
    assert "<script>alert" not in text and "&lt;script&gt;" in text


def test_an_older_analysis_says_that_nothing_was_recorded(tmp_path: Path) -> None:
    text = page(build(tmp_path, kept=False), tmp_path)
    assert "made by an earlier version" in text
    assert "Points that deserve a look" not in text


def test_no_anomaly_is_no_clean_bill(tmp_path: Path) -> None:
    text = page(detailed(tmp_path, anomalies=()), tmp_path)
    assert "That is no sign that the file is unaltered." in text


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, ""),
        (Credentials(checked=False, note="no"), "not looked for"),
        (Credentials(checked=True), "none found"),
        (Credentials(checked=True, remote="https://x.invalid"), "named but elsewhere; not fetched"),
        (Credentials(checked=True, found=True, valid=False), "found, NOT valid"),
        (
            Credentials(checked=True, found=True, valid=True, trusted=False),
            "found, valid, signer not on a trust list",
        ),
    ],
)
def test_credentials_in_one_line(found: Credentials | None, said: str) -> None:
    assert short(found) == said


def test_broken_credentials_are_told_in_full(tmp_path: Path) -> None:
    broken = Credentials(
        checked=True,
        found=True,
        valid=False,
        failed=("assertion.dataHash.mismatch: bytes differ",),
        signer="Test Camera",
        actions=("c2pa.created",),
    )
    text = page(detailed(tmp_path, credentials=broken), tmp_path)
    assert "assertion.dataHash.mismatch" in text and "Test Camera" in text and "c2pa.created" in text


def test_the_exhibit_measured_again(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    now = check_exhibit(tmp_path / "a")
    assert now.fits(hashlib.sha256(b"abc").hexdigest(), 3)
    assert now.checked.tzinfo is not None
    gone = check_exhibit(tmp_path / "gone.mp4")
    assert (gone.sha256, gone.bytes) == ("", 0)
    analysis = build(tmp_path, kept=False)
    assert "NOT CONFIRMED" in page(analysis, tmp_path, gone)
    assert "NOT THE SAME" in page(analysis, tmp_path, now)
    same = ExhibitCheck(EXHIBIT_SHA256, analysis.media.bytes, now.checked)
    assert "The same: the kept file" in page(analysis, tmp_path, same)


def with_card(analysis: Analysis) -> Analysis:
    return analysis.model_copy(update={"model": load_card()[0].as_model()})


def test_error_rates_with_intervals(tmp_path: Path) -> None:
    analysis = with_card(detailed(tmp_path))
    view = report_view(analysis, tmp_path).measured_errors
    first = view.rates[0]
    assert first.data == "develop clips" and "thresholds were chosen on these clips" in first.about
    rate = next(row for row in first.rows if row.figure == "false positive rate")
    measured = next(r for r in analysis.model.rates if r.figure == "false positive rate")
    assert rate.value == f"{measured.value:.1%}".replace("%", " %")
    assert " to " in rate.interval and rate.counted.endswith(f"of {measured.items} clips")
    text = page(analysis, tmp_path)
    assert "How often it errs" in text and "Clopper–Pearson" in text


def test_a_rate_without_interval(tmp_path: Path) -> None:
    analysis = build(tmp_path, kept=False)
    rate = Rate(figure="AUC", data="own", value=0.9, interval="none", items=5, unit="clips")
    model = analysis.model.model_copy(update={"rates": (rate,)})
    view = report_view(analysis.model_copy(update={"model": model}), tmp_path).measured_errors
    assert [row.interval for row in view.rates[0].rows] == ["not known"]


def test_the_domain_in_words(tmp_path: Path) -> None:
    analysis = with_card(detailed(tmp_path))
    whole = report_view(analysis, tmp_path)
    assert "outside" not in dict(whole.answers)["How surely"] and not whole.figure.outside
    view = whole.measured_errors
    assert {row.state for row in view.domain} == {"inside", "not known"}
    assert "Not known: face width" in view.sentence
    large = analysis.media.model_copy(update={"width": 7680, "height": 4320})
    view = report_view(analysis.model_copy(update={"media": large}), tmp_path)
    outside = view.measured_errors
    assert "shorter side" in outside.outside and "lies outside" in outside.sentence
    assert {row.state for row in outside.domain} == {"inside", "outside", "not known"}
    said = "outside what the model was validated on (shorter side)"
    assert said in dict(view.answers)["How surely"] and said in view.figure.outside
    assert "cannot be said" in report_view(build(tmp_path, kept=False), tmp_path).measured_errors.sentence


def test_reproduction(tmp_path: Path) -> None:
    analysis = build(tmp_path, kept=False)
    text = page(analysis, tmp_path)
    assert "python -m detector analyze interview_cut3.mp4" in text
    assert "--set enter_threshold=0.75" in text
    newer = Software(
        **analysis.software.model_dump(exclude={"threads", "command"}),
        threads=2,
        command="python -m detector x",
    )
    text = page(analysis.model_copy(update={"software": newer}), tmp_path)
    assert "python -m detector x" in text and ">Threads<" in text


@pytest.mark.parametrize("version", [f"1.{minor}" for minor in range(17)])
def test_the_command_of_an_older_analysis_turns_off_what_came_since(tmp_path: Path, version: str) -> None:
    analysis = build(tmp_path, kept=False)
    software = analysis.software.model_copy(update={"command": "python -m detector analyze clip.mp4"})
    document = json.loads(analysis.to_json()) | {"schema_version": version}
    for name, versions in LACKING.items():
        if version in versions:
            del document["parameters"][name]
    old = Analysis.from_json(json.dumps(document))
    for each in (old, old.model_copy(update={"software": software})):
        command = shlex.split(_command(each))[4:]
        parser = ArgumentParser()
        parser.add_argument("exhibit")
        add_engine_options(parser)
        given = parameters_from(parser.parse_known_args(command)[0])
        for name, versions in LACKING.items():
            if version in versions:
                assert getattr(given, name) == getattr(old.parameters, name) == 0


def test_the_command_of_an_older_analysis_sets_what_was_a_default_then(tmp_path: Path) -> None:
    analysis = build(tmp_path, kept=False)
    values = {"search_interval": 2.0, "interpolate_below": 0.3, "median_window": 0.9, "enter_threshold": 0.65}
    parameters = analysis.parameters.model_copy(update=values)
    command = "python -m detector analyze 'a clip.mp4' --model reelproof --set median_window=0.9 --out again"
    software = analysis.software.model_copy(update={"command": command})
    old = analysis.model_copy(update={"software": software, "parameters": parameters})
    assert _command(old) == f"{command} --set search_interval=2.0 --set interpolate_below=0.3"
    broken = software.model_copy(update={"command": "analyze 'a clip"})
    assert _command(old.model_copy(update={"software": broken})) == "analyze 'a clip"


def test_the_command_names_the_weights_that_decided_by_the_name_they_have_now(tmp_path: Path) -> None:
    analysis = build(tmp_path, kept=False)

    def named(name: str, sha256: str) -> str:
        model = analysis.model.model_copy(update={"name": name, "sha256": sha256})
        command = f"python -m detector analyze clip.mp4 --model {name} --out again"
        software = analysis.software.model_copy(update={"command": command})
        parameters = Parameters()
        made = {"model": model, "software": software, "parameters": parameters}
        return shlex.split(_command(analysis.model_copy(update=made)))[6]

    assert load_card(DEFAULT)[0].sha256 == DEFAULT_WEIGHTS
    for sha256, name in EARLIER_DEFAULTS.items():
        assert load_card(name)[0].sha256 == sha256
        assert named(DEFAULT, sha256) == named(name, sha256) == name
    assert named(DEFAULT, DEFAULT_WEIGHTS) == DEFAULT
    assert named(DEFAULT, "c" * 64) == "reelproof.safetensors"
    assert named("mine", "c" * 64) == "mine"


def test_a_photo(tmp_path: Path) -> None:
    analysis = build(tmp_path, kind=MediaKind.IMAGE, segments=1, kept=False)
    media = analysis.media.model_copy(update={"details": Details(), "credentials": None})
    text = page(analysis.model_copy(update={"media": media}), tmp_path)
    assert "Streams in the file" not in text and "The file holds no tags." in text


def test_how_a_photo_is_encoded_is_told_in_german(tmp_path: Path) -> None:
    tables = tuple(Table(quality=90, exact=True) for _ in range(4))
    photo = Photo(format="JPEG", mode="RGB", progressive=False, subsampling="4:2:0", tables=tables)
    analysis = build(tmp_path, kept=False, kind=MediaKind.IMAGE)
    media = analysis.media.model_copy(update={"details": Details(photo=photo)})
    view = report_view(
        analysis.model_copy(update={"media": media}), tmp_path, ReportInputs(language_code="de")
    )
    found = {fact.name: fact.value for fact in view.metadata.encoding}
    assert found["JPEG"] == "sequenziell"
    names = ("Helligkeit", "Farbe", "dritte Tabelle", "vierte Tabelle")
    assert all(f"Quantisierung, {name}" in found for name in names)
    assert found["Farbprofil"] == found["EXIF-Vorschaubild"] == "nicht vorhanden"


def test_a_video_without_sound_is_told_in_german(tmp_path: Path) -> None:
    analysis = build(tmp_path, kept=False)
    media = analysis.media.model_copy(update={"has_sound": False})
    view = report_view(
        analysis.model_copy(update={"media": media}), tmp_path, ReportInputs(language_code="de")
    )
    assert ("Ton", "nicht vorhanden") in {(fact.name, fact.value) for fact in view.recording}


@pytest.mark.parametrize(
    ("note", "told"),
    [
        (
            "Content Credentials are not defined for this kind of file.",
            "Für diese Art von Datei sind Content Credentials nicht definiert.",
        ),
        (
            "c2pa-python cannot be used here: No module named 'c2pa'. Install it to check.",
            "c2pa-python ist hier nicht verwendbar: No module named 'c2pa'. Zum Prüfen muss es "
            "installiert werden.",
        ),
        (
            "The file names a manifest elsewhere. It was not fetched.",
            "Die Datei nennt ein Manifest an anderer Stelle. Es wurde nicht abgerufen.",
        ),
    ],
)
def test_the_remark_on_credentials_is_told_in_german(tmp_path: Path, note: str, told: str) -> None:
    analysis = detailed(tmp_path, credentials=Credentials(checked=False, note=note))
    view = report_view(analysis, tmp_path, ReportInputs(language_code="de"))
    assert ("Bemerkung", told) in {(fact.name, fact.value) for fact in view.metadata.credentials}


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


@pytest.mark.parametrize(("place", "told"), PLACES.items())
def test_where_tags_and_times_stand_is_told_in_german(tmp_path: Path, place: str, told: str) -> None:
    details = Details(
        tags=(Tag(place=place, name="file", value="“a” (file, b)"),),
        times=(Moment(place=place, name="file", written="1904", utc=None),),
    )
    analysis = detailed(tmp_path, details=details)
    view = report_view(analysis, tmp_path, ReportInputs(language_code="de")).metadata
    assert view.tags == ((told, "file", "“a” (file, b)"),)
    assert view.times[0][0] == f"{told}, file"


@pytest.mark.parametrize(("place", "told"), PLACES.items())
def test_points_name_places_in_german_and_quote_the_rest(place: str, told: str) -> None:
    names = ("encoder, video", "software", "Tool", "history", "vendor")
    tags = tuple(Tag(place=place, name=name, value=f"video, (file, {name}) Lavf") for name in names)
    early = "1904-01-01T00:00:00Z"
    times = tuple(Moment(place=place, name=name, written="1904", utc=early) for name in names)
    never = Moment(place=place, name="file", written="no time", utc=None)
    anomalies = (*of_programs(tags), *of_times((*times, never), datetime(2026, 11, 27, tzinfo=UTC)))
    with speaking("de"):
        said = [translated(each.observation).partition(": ")[2] for each in anomalies]
    assert said == [
        ", ".join(f"„video, (file, {name}) Lavf“ ({told}, {name})" for name in names[:4]) + " und 1 weitere.",
        ", ".join(f"{early} ({told}, {name})" for name in names[:4]) + " und 1 weitere.",
        f"no time ({told}, file).",
    ]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("de", "2 verschiedene Einstellungen des Encoders und 3 verschiedene Sequenzköpfe"),
        ("es", "2 ajustes distintos del codificador y 3 cabeceras de secuencia distintas"),
    ],
)
def test_signs_of_more_than_one_encoding_are_told_one_by_one(tmp_path: Path, code: str, told: str) -> None:
    encoding = Encoding(texts=("a", "b"), parameter_sets=3)
    found = of_video(build(tmp_path, kept=False).media, Details(encoding=encoding))
    (point,) = (each for each in found if each.kind == "more than one encoding")
    with speaking(code):
        assert translated(point.observation).endswith(f" {told}.")
