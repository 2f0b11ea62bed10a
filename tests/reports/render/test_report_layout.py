"""How reports are set: no small type, nothing stranded at the foot of a page."""

from __future__ import annotations

from pathlib import Path

import pypdfium2
import pytest
from analyses import build
from made_reports import made_result, printed, with_everything
from made_validation import items, validation
from pdf_layout import LEAST_TYPE, smaller_than, stranded

from detector.schema.analysis import MediaKind
from detector.schema.laboratory import Subject
from reports.report_view import ReportInputs
from reports.signing import pdf_signature
from reports.signing.validation_files import DOCUMENT, validation_files


@pytest.mark.parametrize("kind", MediaKind)
def test_type_is_legible_and_no_heading_stranded(tmp_path: Path, kind: MediaKind) -> None:
    """With all that a report can have; summaries are measured where their pages are counted."""
    analysis = made_result(tmp_path, kind, "flagged", "flagged", persons=3, segments=6)
    analysis, inputs = with_everything(analysis, tmp_path)
    document = printed(analysis, tmp_path, inputs)
    assert smaller_than(document, LEAST_TYPE) == []
    assert stranded(document) == []


def test_a_timeline_of_many_persons_continues_on_another_page(tmp_path: Path) -> None:
    analysis = build(tmp_path, persons=45, segments=0, kept=False, count=20)
    document = printed(analysis, tmp_path, ReportInputs())
    assert smaller_than(document, LEAST_TYPE) == []
    with pypdfium2.PdfDocument(document) as pdf:
        pages = [page.get_textpage().get_text_bounded() for page in pdf]
    drawn = [page for page in pages if "Person AS" in page or "Person T" in page]
    assert len([page for page in drawn if page.count("00:00:20") == 1]) >= 2, "each part has its axis"


def test_no_type_of_a_validation_is_smaller_than_eight_points() -> None:
    document = validation_files(validation(items(12) + items(12, Subject.VOICE)))[DOCUMENT]
    assert smaller_than(document, LEAST_TYPE) == []


def test_a_visible_signature_has_room_for_its_lines_in_eight_points() -> None:
    words = [f"{name} " + "x" * 60 for name in ("Signed by", "SHA-256", "Reason:", "Certificate", "Check it")]
    stamp = pdf_signature._appearance(words, (0, 0, 493, round(pdf_signature._HEIGHT)))
    assert smaller_than(stamp, LEAST_TYPE) == []
    with pypdfium2.PdfDocument(stamp) as pdf:
        text = pdf[0].get_textpage()
        assert all(name.split()[0] in text.get_text_bounded() for name in words)
        assert min(text.get_charbox(index)[1] for index in range(text.count_chars())) > 2
