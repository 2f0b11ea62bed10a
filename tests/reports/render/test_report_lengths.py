"""Full and summary report: parts, pages, enlarged faces, film strip; both reproducible and verified."""

from __future__ import annotations

from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from analyses import build
from clips import Analysed
from html_page import Page
from made_reports import CASE, made_result, printed, with_everything, with_moments
from pdf_layout import LEAST_TYPE, smaller_than
from pdf_text import pdf_text
from voices import recording

from detector.schema.analysis import Analysis, MediaKind
from language.languages import LANGUAGES
from reports.inputs.case import CaseDetails
from reports.inputs.pictures import embed
from reports.render.html import render_html
from reports.render.pdf import render_pdf
from reports.render.write import write_files
from reports.report_view import ReportInputs, report_view
from reports.signing import pdf_signature
from reports.wording.lengths import FULL, LENGTHS, SUMMARY
from verification.verify import verify

POINTS = 72 / 25.4  # a millimetre


def rendered(analysis: Analysis, folder: Path, **inputs: object) -> tuple[bytes, str]:
    view = report_view(analysis, folder, ReportInputs(case=CaseDetails(time_zone="UTC"), **inputs))  # type: ignore[arg-type]
    pictures = embed(folder, [picture.key for picture in view.pictures])
    return render_pdf(view, pictures), render_html(view, pictures)


@pytest.mark.parametrize("spans", [(), ((3.0, 8.5), (11.0, 16.0))])
def test_the_sound_of_a_recording_stands_on_the_first_page(
    tmp_path: Path, spans: tuple[tuple[float, float], ...]
) -> None:
    document, _ = rendered(recording(tmp_path, spans=spans), tmp_path, length=SUMMARY)
    with pypdfium2.PdfDocument(document) as pdf:
        first = pdf[0].get_textpage().get_text_bounded()
        assert len(pdf) <= 2
    assert "2 Voice" in first and "Spectrogram" in first
    assert ("with heatmap" in first) == bool(spans)


@pytest.mark.parametrize("code", LANGUAGES)
def test_reports_of_the_sample_keep_to_their_lengths(analysed_sample: Analysed, code: str) -> None:
    for length, most in ((SUMMARY, 2), (FULL, 13)):
        document, _ = rendered(
            analysed_sample.analysis, analysed_sample.folder, length=length, language_code=code
        )
        with pypdfium2.PdfDocument(document) as pdf:
            assert len(pdf) <= most


# Kind, faces, voices, language: each verdict of either beside different ones, in each language.
COMBINATIONS = (
    (MediaKind.VIDEO, "flagged", "flagged", "de"),
    (MediaKind.VIDEO, "weak", "open", "es"),
    (MediaKind.VIDEO, "flagged", "absent", "en"),
    (MediaKind.VIDEO, "open", "nothing", "de"),
    (MediaKind.VIDEO, "nothing", "flagged", "es"),
    (MediaKind.VIDEO, "nothing", "none", "en"),
    (MediaKind.VIDEO, "none", "open", "de"),
    (MediaKind.IMAGE, "flagged", "absent", "de"),
    (MediaKind.IMAGE, "weak", "absent", "en"),
    (MediaKind.IMAGE, "nothing", "absent", "es"),
    (MediaKind.IMAGE, "none", "absent", "de"),
    (MediaKind.AUDIO, "none", "flagged", "de"),
    (MediaKind.AUDIO, "none", "open", "es"),
    (MediaKind.AUDIO, "none", "nothing", "en"),
)


@pytest.mark.parametrize(("kind", "faces", "voices", "code"), COMBINATIONS)
def test_a_summary_has_two_pages_with_room_to_sign(
    tmp_path: Path, kind: MediaKind, faces: str, voices: str, code: str
) -> None:
    analysis = made_result(tmp_path, kind, faces, voices)
    document = printed(analysis, tmp_path, ReportInputs(case=CASE, length=SUMMARY, language_code=code))
    with pypdfium2.PdfDocument(document) as pdf:
        assert len(pdf) <= 2
    assert smaller_than(document, LEAST_TYPE) == []
    sound = report_view(analysis, tmp_path, ReportInputs(language_code=code)).sound
    text = "".join(pdf_text(document).split())
    for line in (*sound.limits, *sound.meaning) if sound else ():
        assert text.count("".join(line.split())) <= 1, "floats that move to the next page are set twice"
    assert _free_height(document) >= 23 * POINTS - 1


@pytest.mark.parametrize(
    ("kind", "faces", "voices", "code"),
    [
        (MediaKind.VIDEO, "flagged", "flagged", "de"),
        (MediaKind.VIDEO, "weak", "nothing", "es"),
        (MediaKind.IMAGE, "flagged", "absent", "es"),
        (MediaKind.AUDIO, "none", "flagged", "de"),
    ],
)
def test_a_summary_with_all_that_can_go_with_it_has_two_pages(
    tmp_path: Path, kind: MediaKind, faces: str, voices: str, code: str
) -> None:
    """Many persons, long texts of the case, declarations, another model, annotations, comparisons."""
    analysis = made_result(tmp_path, kind, faces, voices, persons=6, segments=12)
    analysis, inputs = with_everything(analysis, tmp_path, length=SUMMARY, language_code=code)
    document = printed(analysis, tmp_path, inputs)
    with pypdfium2.PdfDocument(document) as pdf:
        assert len(pdf) == 2
    assert smaller_than(document, LEAST_TYPE) == []


def _free_height(document: bytes) -> float:
    place = pdf_signature._free_place(document)
    return place.box[3] - place.box[1] if place else 0


def test_a_photograph_of_six_people_has_at_most_eight_pages(tmp_path: Path) -> None:
    analysis = build(tmp_path, kind=MediaKind.IMAGE, persons=6, segments=3)
    document, _ = rendered(analysis, tmp_path)
    with pypdfium2.PdfDocument(document) as pdf:
        assert len(pdf) <= 8


def test_the_lengths_have_their_parts(tmp_path: Path) -> None:
    analysis = with_moments(tmp_path)
    full, summary = (Page(rendered(analysis, tmp_path, length=length)[1]).text for length in (FULL, SUMMARY))
    for words in ("Which person", "How certain", "How often wrong", "For comparison: the same person"):
        assert words in full and words in summary, words
    for words in ("Parameters", "Glossary", "Custody log", "Contents"):
        assert words in full and words not in summary, words
    assert "3 Integrity and signature" in summary and "13 Integrity and signature" in full


@pytest.mark.parametrize("length", LENGTHS)
def test_faces_are_at_least_55_mm_wide(tmp_path: Path, length: str) -> None:
    document, _ = rendered(with_moments(tmp_path), tmp_path, length=length)
    with pypdfium2.PdfDocument(document) as pdf:
        widths = [
            (right - left) / POINTS
            for page in pdf
            for picture in page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE])
            for left, _, right, _ in [picture.get_bounds()]
        ]
    wide = [width for width in widths if width >= 55]
    # Three pictures on the first page, the calm frame and the whole frame; then three of the other peak.
    assert len(wide) == (5 if length == SUMMARY else 8)
    assert sum(25 < width < 30 for width in widths) == 6  # the film strip


@pytest.mark.usefixtures("unconfined")
@pytest.mark.parametrize("length", LENGTHS)
def test_both_are_the_same_bytes_again_and_verified(tmp_path: Path, length: str) -> None:
    folder = tmp_path / "result"
    analysis = with_moments(folder)
    text = analysis.to_json().encode()
    (folder / "analysis.json").write_bytes(text)
    inputs = ReportInputs(case=CaseDetails(time_zone="UTC"), length=length)  # type: ignore[arg-type]
    for out in ("once", "again"):
        write_files(analysis, text, folder, tmp_path / out, inputs)
    for name in ("report.pdf", "report.html"):
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert (tmp_path / "once/overlays/A1-strip-1.png").is_file()
    assert (tmp_path / "once/overlays/calm.png").is_file()
    assert verify(tmp_path / "once").results.problems == []
    with pikepdf.open(tmp_path / "once" / "report.pdf") as pdf:
        assert {"analysis.json", "scores.csv"} <= set(pdf.attachments)


def test_the_first_page_shows_verdict_pictures_and_timeline_before_all_else(tmp_path: Path) -> None:
    document, _ = rendered(with_moments(tmp_path), tmp_path)
    with pypdfium2.PdfDocument(document) as pdf:
        page = pdf[0]
        pictures = page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE])
        lowest = min(picture.get_bounds()[1] for picture in pictures)
        text = page.get_textpage()
        legend = text.search("opens a segment")
        place = legend.get_next()
        assert place is not None
        _, bottom, _, _ = text.get_charbox(place[0])
        # Verdict and pictures fill the upper half; the timeline of two persons ends at two thirds.
        assert lowest > page.get_height() / 2 and bottom > page.get_height() / 3


def test_nothing_is_said_of_what_is_not_stated(tmp_path: Path) -> None:
    document, page = rendered(build(tmp_path, segments=0, kept=False), tmp_path)
    assert "not stated" not in pdf_text(document) and "Examiner" not in page
    assert "What the file declares" not in page
