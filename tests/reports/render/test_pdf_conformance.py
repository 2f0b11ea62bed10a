"""The PDF as a file: the standards it declares, what it carries, and that it is the same every time."""

from __future__ import annotations

import hashlib
import io
import logging
import pickle
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import pytest
from analyses import EXHIBIT_SHA256, build
from made_annotations import say
from pdf_rules import broken, elements, misplaced
from pdf_text import pdf_text
from run_cache import made_anywhere

from detector.schema.analysis import MediaKind
from reports.custody.format import ZEROS, entry_body, export_parts, sign_entry
from reports.inputs.case import CaseDetails
from reports.inputs.pictures import embed
from reports.render.attachments import Attachment, attachments
from reports.render.pdf import render_pdf
from reports.report_view import ReportInputs, report_view
from reports.review.annotation_file import read_file

CASE = CaseDetails(
    case_number="24-117 K",
    exhibit_number="EX-3",
    examiner="Dr. Ida Lindqvist",
    organisation="Forensic Imaging Laboratory",
    time_zone="Asia/Kolkata",
)
SAID = [say(1, "segment", segment="A1", verdict="agree", note="Seams at the jaw.")]


def custody_log(exhibit: str = EXHIBIT_SHA256, count: int = 3) -> bytes:
    entries = []
    previous = ZEROS
    for number in range(1, count + 1):
        moment = datetime(2026, 11, 20, 9, number % 60, tzinfo=UTC)
        done = entry_body(moment, "Ida", "view", exhibit=exhibit, details={"page": f"page {number}"})
        entries.append(sign_entry(done, number, previous, previous, b"k" * 32))
        previous = entries[-1].sha256
    moment = datetime(2026, 11, 20, 10, tzinfo=UTC)
    return "".join(export_parts(exhibit, count, previous, entries[-1].mac, moment, entries)).encode()


EVERYTHING: dict[str, Any] = {"judged": True, "custody": custody_log(), "segments": 3, "peaks": 2}
PHOTO: dict[str, Any] = {"kind": MediaKind.IMAGE, "persons": 3, "segments": 2}


def made(
    folder: Path,
    case: CaseDetails = CASE,
    *,
    judged: bool = False,
    custody: bytes | None = None,
    **choices: object,
) -> tuple[bytes, tuple[Attachment, ...]]:
    """A report's PDF and what it was given to carry."""
    analysis = build(folder, **{"segments": 1, "peaks": 1, **choices})  # type: ignore[arg-type]
    inputs = ReportInputs(annotations=SAID if judged else [], case=case, custody=custody)
    enclosed = attachments(analysis, analysis.to_json().encode(), inputs)
    view = report_view(analysis, folder, inputs)
    pictures = embed(folder, [picture.key for picture in view.pictures])
    return render_pdf(view, pictures, enclosed), enclosed


def made_before(name: str, choices: dict[str, Any]) -> tuple[bytes, tuple[Attachment, ...]]:
    """What :func:`made` makes, once for all tests that only read it."""

    def make(folder: Path) -> None:
        (folder / "made.pickle").write_bytes(pickle.dumps(made(folder / "report", **choices)))

    return pickle.loads((made_anywhere(f"report-{name}", make) / "made.pickle").read_bytes())


@pytest.fixture(scope="module")
def whole() -> tuple[bytes, tuple[Attachment, ...]]:
    """A report with everything in it."""
    return made_before("everything", EVERYTHING)


def test_keeps_the_rules_of_both_standards(whole: tuple[bytes, tuple[Attachment, ...]]) -> None:
    with pikepdf.open(io.BytesIO(whole[0])) as document:
        assert broken(document) == [] and misplaced(whole[0]) == []
        kinds = {str(element.S) for element in elements(document)}
    assert {"/H1", "/H2", "/H3", "/H4", "/Table", "/TH", "/Figure", "/Link", "/L", "/LI", "/Caption"} <= kinds


@pytest.mark.parametrize(
    ("name", "choices"),
    [("photo", PHOTO), ("persons", {"persons": 12, "segments": 12, "kept": False, "count": 40})],
    ids=["photo", "twelve persons"],
)
def test_limits_are_stated_for_every_verdict(name: str, choices: dict[str, Any]) -> None:
    """And where there is no face: the names below are of such reports."""
    with pikepdf.open(io.BytesIO(made_before(name, choices)[0])) as document:
        assert broken(document) == []


def test_rules_are_broken_without_the_finish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check finds what it should: WeasyPrint's own PDF/A lacks these."""
    monkeypatch.setattr("reports.render.pdf.finish", lambda document, places: None)
    with pikepdf.open(io.BytesIO(made(tmp_path)[0])) as document:
        violations = "\n".join(broken(document))
    for clause in (
        "UA 5:",
        "UA 7.5:",
        "UA 7.1: page 1: content",
        "A 6.2.8:",
        "A 6.8:",
        "box is not on its page",
    ):
        assert clause in violations, clause


def test_links_name_their_targets(whole: tuple[bytes, tuple[Attachment, ...]]) -> None:
    with pikepdf.open(io.BytesIO(whole[0])) as document:
        descriptions = {
            str(annotation.Contents) for page in document.pages for annotation in page.obj.get("/Annots", [])
        }
    assert {"Section 2 Flagged segments", "Section 13 Integrity and signature", "Segment B1"} <= descriptions


def test_carries_its_files_with_their_hashes_in_the_text(whole: tuple[bytes, tuple[Attachment, ...]]) -> None:
    data, enclosed = whole
    assert [attachment.name for attachment in enclosed] == [
        "analysis.json",
        "annotations.json",
        "custody.json",
        "scores.csv",
    ]
    text = "".join(pdf_text(data).split())
    with pikepdf.open(io.BytesIO(data)) as document:
        assert sorted(document.attachments) == [attachment.name for attachment in enclosed]
        for attachment in enclosed:
            kept = document.attachments[attachment.name].get_file()
            assert kept.read_bytes() == attachment.data
            assert kept.mime_type == attachment.mimetype
            # Name, size and hash stand in this order in the text.
            size = f"{len(attachment.data):,}bytes"
            assert f"{attachment.name}{size}{hashlib.sha256(attachment.data).hexdigest()}" in text
    assert read_file(enclosed[1].data).annotations == tuple(SAID)


def test_every_page_names_case_and_exhibit(whole: tuple[bytes, tuple[Attachment, ...]]) -> None:
    with pypdfium2.PdfDocument(whole[0]) as document:
        pages = [page.get_textpage().get_text_bounded() for page in document]
    for number, page in enumerate(pages, 1):
        assert "Case 24-117 K · Exhibit EX-3" in page and f"Page {number} of {len(pages)}" in page


def test_first_page_answers_and_leads_on(whole: tuple[bytes, tuple[Attachment, ...]]) -> None:
    with pypdfium2.PdfDocument(whole[0]) as document:
        pages = [" ".join(page.get_textpage().get_text_bounded().split()) for page in document]
    for words in (
        "Case number 24-117 K",
        "Organisation Forensic Imaging Laboratory",
        "2025-11-20 08:41:02 UTC",
        "2025-11-20 14:11:02 UTC+05:30",
        "Which person Persons A and B",
        "How certain Strong signs of manipulation",
    ):
        assert words in pages[0], words
    first_pages = " ".join(pages[:2])
    assert "Not examined Sound" in first_pages and "What to do next" in first_pages
    # The contents' page numbers are those of the headings.
    for heading in ("3 Timeline and persons", "11 Custody log", "13 Integrity and signature"):
        page = next(n for n, text in enumerate(pages[2:], 3) if heading in text)
        assert f"{heading} {page}" in first_pages


def test_same_input_same_bytes_at_any_time(
    whole: tuple[bytes, tuple[Attachment, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    assert made(tmp_path, **EVERYTHING)[0] == whole[0]


def test_paper_and_a_date_set_from_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    data, _ = made(tmp_path, CASE.model_copy(update={"paper": "Letter"}), segments=0)
    with pikepdf.open(io.BytesIO(data)) as document:
        assert {tuple(float(v) for v in page.mediabox) for page in document.pages} == {(0, 0, 612, 792)}
        assert str(document.docinfo["/CreationDate"]) == "D:19700102000000Z"
        kept = document.attachments["analysis.json"].get_file()
        assert kept.mod_date is not None and kept.mod_date.year == 1970


@pytest.mark.parametrize(
    "name",
    [
        "مقابلة مع الشاهد 😀\U000e0041᭚.mp4",
        "采访录像_" + "很长的名字" * 30 + "n" * 100 + ".mp4",
    ],
)
def test_names_of_all_scripts(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """No glyph is missing, which PDF/A forbids: what no font holds is printed as its code."""
    case = CaseDetails(case_number=name[:30], examiner="محمد 李小龙 😀")
    with caplog.at_level(logging.CRITICAL, "weasyprint"):
        data, _ = made(tmp_path, case, file=name, segments=0, persons=0)
    with pikepdf.open(io.BytesIO(data)) as document:
        assert broken(document) == []
        assert str(document.docinfo["/Title"]).startswith("Reelproof report: ")
    text = pdf_text(data)
    if "᭚" in name:
        assert r"\u1b5a" in text
