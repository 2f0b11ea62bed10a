"""Full and summary report: parts, pages, enlarged faces, film strip; both reproducible and verified."""

from __future__ import annotations

from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from analyses import build, scene, write_png
from clips import Analysed
from html_page import Page
from pdf_text import pdf_text
from voices import recording, voice

from detector.schema.analysis import Analysis, CalmFrame, MediaKind, StripFace
from language.languages import LANGUAGES
from reports.inputs.case import CaseDetails
from reports.inputs.pictures import embed
from reports.render.html import render_html
from reports.render.pdf import render_pdf
from reports.render.write import write_files
from reports.report_view import ReportInputs, report_view
from reports.wording.lengths import FULL, LENGTHS, SUMMARY
from verification.verify import verify

POINTS = 72 / 25.4  # a millimetre


def with_moments(folder: Path, **choices: object) -> Analysis:
    """An analysis whose segments have film strips and calm frames."""
    analysis = build(folder, persons=2, segments=1, peaks=2, picture=(640, 360), **choices)  # type: ignore[arg-type]
    segments = []
    for segment in analysis.segments:
        strip = tuple(
            StripFace(time=segment.start + number, pts=number, probability=0.1 * number, picture=name)
            for number in range(1, 7)
            if (name := f"overlays/{segment.id}-strip-{number}.png")
        )
        for number, face in enumerate(strip):
            write_png(folder / face.picture, scene(number, 128, 128))
        write_png(folder / "overlays/calm.png", scene(9, 640, 360))
        box = segment.peaks[0].box
        calm = CalmFrame(time=1.0, pts=1, probability=0.02, box=box, frame="overlays/calm.png")
        segments.append(segment.model_copy(update={"strip": strip, "calm": calm}))
    return analysis.model_copy(update={"segments": tuple(segments)})


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
    for length, most in ((SUMMARY, 2), (FULL, 9)):
        document, _ = rendered(
            analysed_sample.analysis, analysed_sample.folder, length=length, language_code=code
        )
        with pypdfium2.PdfDocument(document) as pdf:
            assert len(pdf) <= most


@pytest.mark.parametrize("kind", MediaKind)
@pytest.mark.parametrize("code", LANGUAGES)
def test_a_summary_has_two_pages_in_every_language(tmp_path: Path, kind: MediaKind, code: str) -> None:
    still = kind is MediaKind.IMAGE
    analysis = build(tmp_path, kind=kind, segments=1) if still else with_moments(tmp_path)
    document, page = rendered(analysis, tmp_path, length=SUMMARY, language_code=code)
    with pypdfium2.PdfDocument(document) as pdf:
        assert len(pdf) == 2
    assert '<meta name="reelproof-length" content="summary"/>' in page


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_summary_of_flagged_faces_and_voices_has_two_pages(tmp_path: Path, code: str) -> None:
    analysis = with_moments(tmp_path).model_copy(update={"voice": voice(tmp_path)})
    case = CaseDetails(
        case_number="12-2026",
        exhibit_number="4",
        examiner="A. Miller",
        organisation="Media laboratory",
        time_zone="Europe/Berlin",
    )
    inputs = ReportInputs(case=case, length=SUMMARY, language_code=code)
    view = report_view(analysis, tmp_path, inputs)
    pictures = embed(tmp_path, [picture.key for picture in view.pictures])
    document, page = render_pdf(view, pictures), render_html(view, pictures)
    with pypdfium2.PdfDocument(document) as pdf:
        assert len(pdf) == 2
    assert 'class="second with-sound"' in page


def test_a_photograph_of_six_people_has_at_most_seven_pages(tmp_path: Path) -> None:
    analysis = build(tmp_path, kind=MediaKind.IMAGE, persons=6, segments=3)
    document, _ = rendered(analysis, tmp_path)
    with pypdfium2.PdfDocument(document) as pdf:
        assert len(pdf) <= 7


def test_the_lengths_have_their_parts(tmp_path: Path) -> None:
    analysis = with_moments(tmp_path)
    full, summary = (Page(rendered(analysis, tmp_path, length=length)[1]).text for length in (FULL, SUMMARY))
    for words in ("Which person", "How certain", "How often wrong", "For comparison: the same person"):
        assert words in full and words in summary, words
    for words in ("Parameters", "Glossary", "Custody log", "Contents"):
        assert words in full and words not in summary, words
    assert "5 Integrity and signature" in summary and "13 Integrity and signature" in full


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
