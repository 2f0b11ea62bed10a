"""Names in scripts of the whole world stand in reports as written, with the fonts that setup.sh installs."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from analyses import build
from pypdf import PdfReader

from detector.files import ROOT
from reports.fonts import INSTALLED, TEXT
from reports.inputs.case import CaseDetails
from reports.render.pdf import render_pdf
from reports.report_view import ReportInputs, report_view

NAMES = {
    "Thai": "สมชาย",
    "Devanagari": "आदित्य",
    "Bengali": "অমর্ত্য",
    "Tamil": "கண்ணன்",
    "Georgian": "გიორგი",
    "Ethiopic": "ዮሐንስ",
    "Khmer": "សុខា",
}


def test_no_letter_of_a_name_becomes_a_code(tmp_path: Path) -> None:
    analysis = build(tmp_path, segments=0, kept=False, file=f"{NAMES['Thai']} שלום محمد clip 2.mp4")
    case = CaseDetails(examiner=" ".join(NAMES.values()), exhibit_number="E 1")
    data = render_pdf(report_view(analysis, tmp_path, ReportInputs(case=case)), {})
    reader = PdfReader(io.BytesIO(data))
    text = " ".join(page.extract_text() for page in reader.pages)
    escaped = r"File name, escaped.*?when\s+submitted"  # for whoever copies it
    text = re.sub(escaped, "", text, flags=re.DOTALL)
    assert not re.search(r"\\u[0-9a-f]{4}", text + str(reader.metadata and reader.metadata.title))
    fonts = " ".join(
        str(font.get_object()["/BaseFont"])
        for page in reader.pages
        for font in page["/Resources"].get_object()["/Font"].values()
    )
    for script in NAMES:
        named = script in fonts or script == "Georgian"  # DejaVu Sans has Georgian as well
        assert named, f"{script} is not shown by its font: {fonts}"


@pytest.mark.parametrize("script", NAMES)
def test_reports_name_the_families_that_are_installed(script: str) -> None:
    assert f'"Noto Sans {script}"' in TEXT
    assert "Noto Sans Khmer" in INSTALLED and "fonts-noto-core" in (ROOT / "setup.sh").read_text()
