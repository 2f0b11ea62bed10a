"""What a report says of the file's making and encoding, and of its credentials."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from analyses import EXHIBIT_SHA256, build
from detailed_analysis import detailed, page

from detector.schema.analysis import MediaKind
from detector.schema.metadata import (
    Credentials,
    Details,
)
from reports.exhibit.metadata import short
from reports.inputs.input_files import ExhibitCheck, check_exhibit
from reports.report_view import report_view


def test_metadata_facts_are_listed(tmp_path: Path) -> None:
    text = page(detailed(tmp_path), tmp_path)
    for wanted in (
        "High, level 3.1",
        "isom",
        "4 : 3; frames were judged without stretching",
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
def test_invalid_fractions_are_shown_unchanged(tmp_path: Path, text: str) -> None:
    analysis = detailed(tmp_path)
    details = analysis.media.details
    assert details is not None and details.picture is not None
    picture = details.picture.model_copy(update={"declared_frame_rate": text, "sample_aspect_ratio": text})
    media = analysis.media.model_copy(update={"details": details.model_copy(update={"picture": picture})})
    shown = report_view(analysis.model_copy(update={"media": media}), tmp_path).metadata
    fitting = "Lowest rate that fits all time stamps"
    assert [(fact.value, fact.note) for fact in shown.timing if fact.name == fitting] == [
        (text, "estimated by FFmpeg")
    ]
    (shape,) = [fact.value for fact in shown.encoding if fact.name == "Pixel shape"]
    assert shape.startswith(text.replace("/", " : "))


def test_an_animation_has_no_rate_but_the_average_and_key_frames_that_are_not_known(tmp_path: Path) -> None:
    analysis = detailed(tmp_path)
    details = analysis.media.details
    assert details is not None and details.groups is not None
    groups = details.groups.model_copy(update={"packets": 0, "key_frames": 0, "shortest": None})
    changed = {"container": "webp_pipe", "details": details.model_copy(update={"groups": groups})}
    media = analysis.media.model_copy(update=changed)
    shown = report_view(analysis.model_copy(update={"media": media}), tmp_path).metadata
    facts = {fact.name: fact.value for fact in shown.timing}
    assert facts["Key frames"] == "not known"
    assert [name for name in facts if "rate" in name] == ["Frame rate on average"]


@pytest.mark.parametrize(
    ("codec", "level", "words"),
    [
        ("h264", 31, "High, level 3.1"),
        ("hevc", 93, "High, level 3.1"),
        ("av1", 5, "High, level 3.1"),
        ("libdav1d", 8, "High, level 4.0"),
        ("av1", 0, "High, level 2.0"),
        ("av1", 31, "High, with maximum parameters instead of a level"),
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
    assert [fact.value for fact in shown.encoding if fact.name == "Codec profile"] == [words]


def test_tags_are_escaped(tmp_path: Path) -> None:
    text = page(detailed(tmp_path), tmp_path)
    assert "<script>alert" not in text and "&lt;script&gt;" in text


def test_an_older_analysis_states_that_nothing_was_recorded(tmp_path: Path) -> None:
    text = page(build(tmp_path, kept=False), tmp_path)
    assert "made with an earlier version" in text
    assert "Points to check" not in text


def test_no_anomaly_is_no_clean_bill(tmp_path: Path) -> None:
    text = page(detailed(tmp_path, anomalies=()), tmp_path)
    assert "This does not show that the file is unaltered." in text


@pytest.mark.parametrize(
    ("credentials", "words"),
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
def test_credentials_in_one_line(credentials: Credentials | None, words: str) -> None:
    assert short(credentials) == words


def test_broken_credentials_are_described(tmp_path: Path) -> None:
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


def test_the_exhibit_is_hashed_again(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    now = check_exhibit(tmp_path / "a")
    assert now.fits(hashlib.sha256(b"abc").hexdigest(), 3)
    assert now.checked.tzinfo is not None
    gone = check_exhibit(tmp_path / "gone.mp4")
    assert (gone.sha256, gone.bytes) == ("", 0)
    analysis = build(tmp_path, kept=False)
    assert "NOT CONFIRMED" in page(analysis, tmp_path, gone)
    assert "CHANGED" in page(analysis, tmp_path, now)
    same = ExhibitCheck(EXHIBIT_SHA256, analysis.media.bytes, now.checked)
    assert "Unchanged: the stored file" in page(analysis, tmp_path, same)


def test_a_photo(tmp_path: Path) -> None:
    analysis = build(tmp_path, kind=MediaKind.IMAGE, segments=1, kept=False)
    media = analysis.media.model_copy(update={"details": Details(), "credentials": None})
    text = page(analysis.model_copy(update={"media": media}), tmp_path)
    assert "Streams in the file" not in text and "The file contains no tags." in text
