"""The PDF report as readers see it: text, pages, bookmarks, tags, and what has to fit."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from analyses import EXHIBIT_SHA256, MODEL_SHA256, Written, build, with_stability
from pypdf import PdfReader
from pypdf.generic import Destination
from weasyprint import HTML

from detector.process.resources import peak_memory
from detector.schema.analysis import MediaKind
from reports.inputs.pictures import embed
from reports.render.pdf import RefusedAddress, SuppliedOnly, render_pdf
from reports.report_view import ReportInputs, report_view


def read(folder: Path, **choices: object) -> PdfReader:
    analysis = build(folder, **{"kept": False, **choices})  # type: ignore[arg-type]
    view = report_view(analysis, folder)
    pictures = embed(folder, [picture.key for picture in view.pictures])
    return PdfReader(io.BytesIO(render_pdf(view, pictures)))


def text_of(reader: PdfReader) -> str:
    return " ".join(" ".join(page.extract_text() for page in reader.pages).split())


def titles(outline: list[object]) -> Iterator[str]:
    for item in outline:
        if isinstance(item, list):
            yield from titles(item)
        elif isinstance(item, Destination):
            yield str(item.title)


@pytest.fixture(scope="module")
def reader(written: Written) -> PdfReader:
    return PdfReader(written.folder / "report.pdf")


def test_text_states_verdict_hashes_times_and_reason(reader: PdfReader, written: Written) -> None:
    text = text_of(reader)
    for fact in (
        "Strong signs of manipulation",
        written.analysis.reason,
        EXHIBIT_SHA256,
        MODEL_SHA256,
        "00:00:06.000",
        "00:00:48.000",
        "should not be relied upon",
        "a colour scale of its own",
    ):
        assert fact in text, fact


def test_every_page_is_numbered_and_carries_the_file_name(reader: PdfReader) -> None:
    count = len(reader.pages)
    assert count >= 5
    for number, page in enumerate(reader.pages, 1):
        text = page.extract_text()
        assert f"Page {number} of {count}" in text
        assert "interview_cut3.mp4" in text
        assert page.mediabox.width == pytest.approx(595.28, abs=0.1)
        assert page.mediabox.height == pytest.approx(841.89, abs=0.1)


def test_bookmarks_lead_to_sections_and_segments(reader: PdfReader) -> None:
    bookmarks = list(titles(reader.outline))
    for start in (
        "1 Summary",
        "2 Flagged segments",
        "Segment A1",
        "Segment B1",
        "6 Reviewers",
        "13 Integrity",
    ):
        assert any(title.startswith(start) for title in bookmarks), (start, bookmarks)


def test_contents_give_the_pages_of_all_sections(reader: PdfReader) -> None:
    first_pages = "\n".join(page.extract_text() for page in reader.pages[:2])
    listed = dict(re.findall(r"^(\d+ \D.*?) (\d+)$", first_pages, re.MULTILINE))
    flat = [item for part in reader.outline for item in (part if isinstance(part, list) else [part])]
    where = {
        str(destination.title): destination for destination in flat if isinstance(destination, Destination)
    }
    numbered = {title: destination for title, destination in where.items() if title[0].isdigit()}
    assert len(numbered) >= 13
    for title, destination in numbered.items():
        number = reader.get_destination_page_number(destination)
        assert number is not None and listed[title] == str(number + 1), title


def test_table_of_segments_gives_their_pages(reader: PdfReader) -> None:
    where = next(n for n, page in enumerate(reader.pages, 1) if "Segment B1 ·" in page.extract_text())
    table = next(
        page.extract_text() for page in reader.pages if "All flagged segments" in page.extract_text()
    )
    row = next(line for line in table.splitlines() if line.startswith("B1 "))
    assert row.split()[-1] == str(where)


def test_document_is_tagged_titled_dated_and_described(written: Written) -> None:
    with pikepdf.open(written.folder / "report.pdf") as pdf:
        assert pdf.Root.MarkInfo.Marked and str(pdf.Root.Lang) == "en"
        assert str(pdf.docinfo["/Title"]) == "Reelproof report: interview_cut3.mp4"
        assert str(pdf.docinfo["/Author"]) == "Reelproof 0.1.0"
        assert str(pdf.docinfo["/CreationDate"]).startswith("D:20251120084102")
        figures = [
            item
            for item in pdf.objects
            if isinstance(item, pikepdf.Dictionary) and item.get("/S") == "/Figure"
        ]
        assert len(figures) >= 19 and all("/Alt" in item for item in figures)
        with pdf.open_metadata() as metadata:
            assert metadata["pdfuaid:part"] == "1"
        images = [
            item
            for item in pdf.objects
            if isinstance(item, pikepdf.Stream) and item.get("/Subtype") == "/Image"
        ]
        assert images and all(item.Filter == "/DCTDecode" for item in images)


def test_rendering_logs_no_warnings(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "weasyprint"):
        read(tmp_path, segments=1, peaks=1, kept=True)
    assert [record.getMessage() for record in caplog.records] == []


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd",
        "http://127.0.0.1:9/x.png",
        "https://example.org/x.png",
        "ftp://127.0.0.1/x",
        "data:image/png;base64,AAAA",
        "picture:1",
    ],
)
def test_fetcher_refuses_everything_not_supplied(address: str) -> None:
    fetcher = SuppliedOnly({"picture:0": b"jpeg"})
    assert fetcher.fetch("picture:0").read() == b"jpeg"
    with pytest.raises(RefusedAddress):
        fetcher.fetch(address)
    for markup in (f'<img src="{address}">', f'<link rel="stylesheet" href="{address}">'):
        with pytest.raises(RefusedAddress):
            HTML(string=markup, url_fetcher=fetcher).write_pdf()


def test_twenty_persons_fit_the_page(tmp_path: Path) -> None:
    reader = read(tmp_path, persons=20, segments=0, count=60)
    text = text_of(reader)
    assert all(f"Person {letter}" in text for letter in "ABCDEFGHIJKLMNOPQRST")
    pages = [page.extract_text() for page in reader.pages if "opens a segment" in page.extract_text()]
    assert max(page.count("Person ") for page in pages) >= 20
    assert "Persons not drawn here: 17." in pages[0]


def test_the_table_of_a_photos_faces_fits_between_the_margins_in_german(tmp_path: Path) -> None:
    analysis = with_stability(build(tmp_path, kept=False, kind=MediaKind.IMAGE, segments=2), A=1.0, B=0.6)
    view = report_view(analysis, tmp_path, ReportInputs(language_code="de"))
    with pypdfium2.PdfDocument(render_pdf(view, {})) as document:
        page = next(
            sheet for sheet in document if "Gesichtstausch" in sheet.get_textpage().get_text_bounded()
        )
        words = page.get_textpage()
        right = max(words.get_rect(index)[2] for index in range(words.count_rects()))
        left = min(words.get_rect(index)[0] for index in range(words.count_rects()))
        # The running head ends at the margins.
        assert right <= page.get_width() - left + 1


def test_long_and_foreign_file_names(tmp_path: Path) -> None:
    analysis = build(tmp_path, segments=0, file="مقابلة_\u202e映像_" + "x" * 220 + ".mp4")
    # PDFium rather than pypdf, which loses its way in text with glyphs no font holds.
    with pypdfium2.PdfDocument(render_pdf(report_view(analysis, tmp_path), {})) as document:
        pages = [page.get_textpage().get_text_bounded() for page in document]
    assert pages[0].count("u202e") >= 2 and "مقابلة" in pages[0]
    # As escapes, unless some font of this machine holds them.
    assert r"\u6620\u50cf" in pages[0] or "映像" in pages[0]
    assert pages[0].count("x") > 220  # of the title, not shortened
    assert all(f"Page {number} of {len(pages)}" in page for number, page in enumerate(pages, 1))


@pytest.mark.slow
def test_two_hundred_segments_are_rendered(tmp_path: Path) -> None:
    before = peak_memory()
    reader = read(tmp_path, persons=4, segments=200, kept=True, picture=(1280, 720), duration=1250.0)
    text = text_of(reader)
    assert all(f"Segment D{number} ·" in text for number in range(1, 51))
    assert f"Page {len(reader.pages)} of {len(reader.pages)}" in reader.pages[-1].extract_text()
    assert peak_memory() - before < 2_000_000_000
