"""The report's section on the custody log, and the case details from the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pikepdf
import pytest
from analyses import EXHIBIT_SHA256, Written, build
from made_logs import exported_log

from cli.reports.main import main
from language import translation
from language.formatting import in_utc, in_zone
from reports.custody.custody_section import MOST_ROWS, custody_view


def test_an_empty_photo_states_that_no_face_was_found() -> None:
    view = custody_view(None, EXHIBIT_SHA256)
    assert view.summary[0].startswith("No log is available.") and not view.rows and not view.problems


def test_entries_count_and_head() -> None:
    data = exported_log(page="result")
    view = custody_view(data, EXHIBIT_SHA256)
    assert not view.problems and "was intact" in view.summary[1]
    assert [row.number for row in view.rows] == ["1", "2", "3"]
    first = view.rows[0]
    assert (first.made, first.action, first.details) == ("2026-11-20 09:00:01.000", "view", "page: result")
    assert first.actor == r"Ida\u202e"
    facts = {fact.name: fact.value for fact in view.facts}
    assert facts["Head, SHA-256 of its last entry"] == json.loads(data)["head"]
    assert facts["Exported"] == "2026-11-20 10:00:00 UTC"


@pytest.mark.parametrize(
    ("actor", "named"),
    [("local user", "Benutzer vor Ort"), ("somebody not signed in", "nicht angemeldet"), ("model", "model")],
)
def test_names_assigned_by_reelproof_are_translated(actor: str, named: str) -> None:
    with translation.speaking("de"):
        view = translation.translated_view(custody_view(exported_log(actor=actor), EXHIBIT_SHA256))
    assert view.rows[0].actor == named


def test_details_are_translated_except_free_text() -> None:
    details = {"case number": "high", "priority": "high", "kept file": "", "reelproof": "1.0"}
    with translation.speaking("es"):
        view = translation.translated_view(custody_view(exported_log(**details), EXHIBIT_SHA256))
    assert view.rows[0].details == "número de caso: high; prioridad: alta; reelproof: 1.0"


@pytest.mark.parametrize(
    ("code", "day"), [("en", "2026-11-20 "), ("de", "20.11.2026, "), ("es", "20 nov 2026, ")]
)
def test_moments_are_written_as_elsewhere_in_the_report(code: str, day: str) -> None:
    """To the millisecond, as the log has them; those of notes as those of the table."""
    document = json.loads(exported_log()) | {"exported": "2026-11-20T08:00:00.000Z"}
    with translation.speaking(code):
        view = custody_view(json.dumps(document).encode(), EXHIBIT_SHA256)
    assert [row.made for row in view.rows] == [f"{day}09:00:0{number}.000" for number in (1, 2, 3)]
    assert view.facts[0].value == f"{day}08:00:00 UTC"
    assert f"{day}08:00:00.000" in view.notes[0] and f"{day}09:00:03.000" in view.notes[0]


def test_a_changed_log_is_shown_with_its_problems() -> None:
    document = json.loads(exported_log())
    document["entries"][1]["actor"] = "Someone else"
    view = custody_view(json.dumps(document).encode(), EXHIBIT_SHA256)
    assert any("Entry 2 was changed" in problem for problem in view.problems)
    assert len(view.rows) == 3 and not any("fitted" in line for line in view.summary)
    assert custody_view(b"{", EXHIBIT_SHA256).problems
    other = custody_view(exported_log("ab" * 32), EXHIBIT_SHA256)
    assert "The log is about another exhibit." in other.problems and not other.rows


def test_times_running_backwards_are_mentioned() -> None:
    assert custody_view(exported_log(), EXHIBIT_SHA256).notes == ()
    document = json.loads(exported_log(count=61)) | {"exported": "2015-01-01T00:00:00.000Z"}
    view = custody_view(json.dumps(document).encode(), EXHIBIT_SHA256)
    assert view.problems == () and len(view.notes) == 2
    assert view.notes[0].startswith(
        "Entry 60, made on 2026-11-20 09:00:00.000, is older than the entry before it, 59, made on "
        "2026-11-20 09:00:59.000"
    )
    assert view.notes[1].startswith("According to the log it was exported on 2015-01-01 00:00:00.000, before")


def test_a_long_log_is_shortened_with_a_note() -> None:
    view = custody_view(exported_log(count=MOST_ROWS + 5), EXHIBIT_SHA256)
    assert len(view.rows) == MOST_ROWS and view.rows[-1].number == f"{MOST_ROWS + 5}"
    assert "enclosed custody.json contains all of them" in view.summary[-1]


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("Europe/Stockholm", "2025-11-20 09:41:02 UTC+01:00"),
        ("America/St_Johns", "2025-11-20 05:11:02 UTC−03:30"),
        ("Africa/Abidjan", "2025-11-20 08:41:02 UTC+00:00"),
        ("Etc/UTC", ""),
        ("", ""),
    ],
)
def test_local_time(zone: str, words: str) -> None:
    assert in_zone("2025-11-20T08:41:02Z", zone) == words
    assert in_zone("no time", zone) == ""


def test_summer_and_the_calendars_end() -> None:
    assert in_zone("2025-07-01T12:00:00Z", "Europe/Stockholm") == "2025-07-01 14:00:00 UTC+02:00"
    assert in_zone("9999-12-31T23:59:59Z", "Asia/Tokyo") == ""
    assert in_utc("no time") == ("no time", "")


def folder(written: Written, to: Path) -> Path:
    shutil.copytree(written.folder, to)
    return to / "analysis.json"


def small(to: Path) -> Path:
    """The analysis.json of a result with nothing flagged, whose report is short."""
    analysis = build(to, segments=0, count=3)
    to.mkdir()
    (to / "analysis.json").write_text(analysis.to_json(), "utf-8")
    return to / "analysis.json"


def test_case_details_and_custody_log_are_kept_and_printed_again(tmp_path: Path) -> None:
    path = small(tmp_path / "case")
    given = ["--case-number", "24/117", "--examiner", "Ida", "--time-zone", "Asia/Tokyo", "--paper", "Letter"]
    assert main(["render", str(path), *given]) == 0
    first = (path.parent / "report.pdf").read_bytes()
    # Not given again: as they were; one given: that one alone changes.
    assert main(["render", str(path)]) == 0
    assert (path.parent / "report.pdf").read_bytes() == first
    log = tmp_path / "log.json"
    log.write_bytes(exported_log())
    assert main(["render", str(path), "--exhibit-number", "3", "--custody", str(log)]) == 0
    kept = json.loads((path.parent / "case.json").read_text("utf-8"))
    assert kept == {
        "case_number": "24/117",
        "exhibit_number": "3",
        "examiner": "Ida",
        "organisation": "",
        "paper": "Letter",
        "time_zone": "Asia/Tokyo",
    }
    page = (path.parent / "report.html").read_text("utf-8")
    assert "24/117" in page and "17:41:02 UTC+09:00" in page and "Organisation" not in page
    listed = {entry["path"] for entry in json.loads((path.parent / "manifest.json").read_text())["files"]}
    assert "case.json" in listed
    # The custody log goes into folder and PDF.
    assert (path.parent / "custody.json").read_bytes() == log.read_bytes()
    with pikepdf.open(path.parent / "report.pdf") as document:
        assert document.attachments["custody.json"].get_file().read_bytes() == log.read_bytes()


def test_invalid_case_details_change_nothing(
    written: Written, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder(written, tmp_path / "case")
    before = {file: file.read_bytes() for file in path.parent.iterdir() if file.is_file()}
    assert main(["render", str(path), "--time-zone", "Mars/Base"]) == 2
    assert "must be a name such as Europe/Berlin" in capsys.readouterr().err
    (path.parent / "case.json").write_text("{", "utf-8")
    assert main(["render", str(path)]) == 2
    assert "is not the case.json of a report" in capsys.readouterr().err
    (path.parent / "case.json").write_bytes(before[path.parent / "case.json"])
    assert {file: file.read_bytes() for file in path.parent.iterdir() if file.is_file()} == before
