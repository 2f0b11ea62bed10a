"""In a browser: the custody log, case details into the PDF, and a file that is handed in once more."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

from desk import Workbench
from pdf_text import pdf_text
from playwright.sync_api import Page, expect
from pypdf import PdfReader

from reports.custody.chain import check_export

_REPORT = 120_000  # milliseconds


def test_the_log_is_read_and_saved(workbench: Workbench, page: Page, tmp_path: Path):
    address = f"{workbench.app.address}/analyses/{workbench.second}"
    page.goto(address)
    page.get_by_role("link", name="Who did what to it, and when").click()
    expect(page.get_by_text("the chain is intact")).to_be_visible()
    rows = page.locator(".custody-log tbody tr")
    expect(rows.last).to_contain_text("Intake")
    expect(rows.filter(has_text="View").first).to_contain_text("local user")
    expect(rows.filter(has_text="Analysis finished").first).to_contain_text("model sha256")
    rows.first.get_by_text("Hashes").click()
    expect(rows.first.get_by_text("of the previous entry", exact=True)).to_be_visible()
    with page.expect_download() as saved:
        page.get_by_role("link", name="custody.json").click()
    saved.value.save_as(tmp_path / "custody.json")
    text = (tmp_path / "custody.json").read_bytes()
    assert check_export(text) == []
    assert len(json.loads(text)["entries"]) == rows.count()
    page.reload()
    expect(rows.first).to_contain_text("Export")


def test_case_details_go_into_the_pdf(workbench: Workbench, page: Page, tmp_path: Path):
    page.goto(f"{workbench.app.address}/analyses/{workbench.still}")
    page.get_by_text("Change the case details").click()
    page.get_by_label("Case number").fill("ST/2026/0815")
    page.get_by_label("Examiner").fill("Änne Ørsted")
    page.get_by_label("Paper of the PDF").select_option("Letter")
    page.get_by_role("button", name="Save the case details").click()
    expect(page.get_by_text("Saved. New reports include them.")).to_be_visible()
    with page.expect_download(timeout=_REPORT) as saved:
        page.get_by_role("link", name="PDF report").click()
    saved.value.save_as(tmp_path / "report.pdf")
    pdf = PdfReader(io.BytesIO((tmp_path / "report.pdf").read_bytes()))
    text = " ".join(pdf_text(tmp_path / "report.pdf").split())
    assert "ST/2026/0815" in text and "Änne Ørsted" in text
    assert "Unchanged: the stored file is identical to the" in text
    assert [round(float(side)) for side in pdf.pages[0].mediabox[2:]] == [612, 792]
    assert check_export(pdf.attachments["custody.json"][0]) == []


def test_a_file_handed_in_once_more_is_said_to_be(workbench: Workbench, page: Page, tmp_path: Path):
    other = tmp_path / "another name.mp4"
    other.write_bytes(workbench.clip.read_bytes())
    page.goto(workbench.app.address)
    page.locator("#file").set_input_files([str(other)])
    page.get_by_role("button", name="Start the analysis").click()
    page.wait_for_url(re.compile(r"known="))
    notice = page.locator(".known")
    expect(notice).to_contain_text("This file was uploaded before, on")
    expect(notice.get_by_role("link").last).to_have_attribute("href", f"/analyses/{workbench.first}")

    page.goto(workbench.app.address)
    page.locator("#file").set_input_files([str(other), str(workbench.clip)])
    page.get_by_text("Options").click()
    page.get_by_text("Case details for the report").click()
    page.get_by_label("Case number").fill("ST/7")
    page.get_by_role("button", name="Start 2 analyses").click()
    words = page.locator(".queue-known")
    expect(words).to_have_count(2)
    for place in (0, 1):
        expect(words.nth(place)).to_contain_text("This file was uploaded before, on")
        expect(words.nth(place)).to_contain_text("earlier analyses")
    words.nth(1).get_by_role("link", name="Show them").click()
    expect(page.locator(".known")).to_contain_text("the same exhibit, bit for bit")
