"""What stands in a PDF for characters that no installed font can show."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pikepdf
import pypdfium2
import pytest
from analyses import build
from pdf_rules import broken
from pypdf import PdfReader

from reports.inputs.case import CaseDetails
from reports.render.pdf import character_in_words, render_pdf, with_every_letter
from reports.report_view import ReportInputs, report_view
from reports.signing.pdf_signature import _appearance


@pytest.mark.parametrize(
    ("character", "words"),
    [
        ("\N{CLAPPER BOARD}", "[clapper board]"),
        ("\N{EMOJI MODIFIER FITZPATRICK TYPE-4}", "[emoji modifier fitzpatrick type-4]"),
        ("映", r"\u6620"),
        ("\U000e0041", r"\U000e0041"),  # a tag, which nobody sees
    ],
)
def test_pictures_have_a_name_and_letters_a_code(character: str, words: str) -> None:
    assert character_in_words(character) == words


def test_only_unprintable_characters_are_put_into_words() -> None:
    def write(markup: str, finish: Callable[[Any, Any], None]) -> bytes:
        lacking = {ord(letter) for letter in markup if letter == "\N{CLAPPER BOARD}"}
        finish(SimpleNamespace(fonts={"a": SimpleNamespace(missing=lacking)}), None)
        return markup.encode()

    assert (
        with_every_letter("\N{CLAPPER BOARD} \N{BLACK STAR}", write).decode()
        == "[clapper board] \N{BLACK STAR}"
    )


def test_emoji_are_printed_or_named(tmp_path: Path) -> None:
    analysis = build(tmp_path, segments=0, kept=False, file="\N{CLAPPER BOARD} clip.mp4")
    case = CaseDetails(
        examiner="Seen by \N{WOMAN}\N{EMOJI MODIFIER FITZPATRICK TYPE-4}\u200d\N{PERSONAL COMPUTER}."
    )
    data = render_pdf(report_view(analysis, tmp_path, ReportInputs(case=case)), {})
    # Not PDFium, which leaves out letters that are drawn as pictures.
    text = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(data)).pages)
    for character in "\N{CLAPPER BOARD}\N{WOMAN}\N{PERSONAL COMPUTER}":
        assert character in text or character_in_words(character) in text.replace("\n", " ")
    (tmp_path / "report.pdf").write_bytes(data)
    with pikepdf.open(tmp_path / "report.pdf") as pdf:
        assert broken(pdf) == []


def test_the_stamp_of_a_signature_has_no_boxes() -> None:
    with pypdfium2.PdfDocument(_appearance(["Signed by \U00016a81", "x"], (0, 0, 300, 60))) as document:
        assert "\\U00016a81" in document[0].get_textpage().get_text_bounded()
