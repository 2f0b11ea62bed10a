"""A recording of sound in a real browser: from upload to desk, player, PDF and bundle."""

from __future__ import annotations

import hashlib
import re
import zipfile
from pathlib import Path

import pytest
from pdf_text import pdf_text
from playwright.sync_api import Page, expect
from sounds import hum, write_recording

pytestmark = pytest.mark.browser

_RESULT = 240_000  # milliseconds


def test_a_recording_from_upload_to_report(without_sample, page: Page, seen, tmp_path: Path):
    recording = write_recording(tmp_path / "voice message.opus", hum(6.0), codec="libopus", rate=48_000)
    sha256 = hashlib.sha256(recording.read_bytes()).hexdigest()
    page.goto(without_sample.address)
    expect(page.locator("#sound")).to_have_value("yes")
    page.set_input_files("#file", recording)
    page.get_by_role("button", name="Start the analysis").click()
    page.wait_for_url(re.compile(r"/analyses/[0-9a-f]{32}$"))
    expect(page.locator(".banner h2")).to_be_visible(timeout=_RESULT)
    expect(page.locator(".eyebrow").first).to_contain_text("Sound")
    expect(page.get_by_role("heading", name="Voice", exact=True)).to_be_visible()
    expect(page.locator(".banner")).not_to_contain_text("face")

    expect(page.locator("#review")).to_be_visible()
    expect(page.locator("#tab-persons")).to_be_hidden()
    expect(page.locator("#voice-list")).to_contain_text("Nothing was flagged.")
    page.locator("#play").click()
    page.wait_for_function("() => document.getElementById('video').currentTime > 0.2")
    page.wait_for_function("() => document.getElementById('now').textContent > '00:00:00.200'")
    page.locator("#play").click()

    with page.expect_download() as download:
        page.get_by_role("link", name="PDF report").click()
    pdf = tmp_path / "report.pdf"
    download.value.save_as(pdf)
    text = re.sub(r"\s+", " ", pdf_text(pdf))
    assert sha256 in text.replace(" ", "")
    assert "sound recording" in text and "Flagged segments" not in text

    with page.expect_download() as download:
        page.get_by_role("link", name="Summary", exact=True).click()
    download.value.save_as(pdf)
    assert "Summary report: synthetic speech" in re.sub(r"\s+", " ", pdf_text(pdf))

    with page.expect_download() as download:
        page.get_by_role("link", name="Bundle", exact=True).click()
    bundle = tmp_path / "bundle.zip"
    download.value.save_as(bundle)
    with zipfile.ZipFile(bundle) as archive:
        assert hashlib.sha256(archive.read("media/exhibit.ogg")).hexdigest() == sha256
        archive.extractall(tmp_path / "bundle")
    page.goto((tmp_path / "bundle" / "index.html").as_uri())
    page.locator("#play").click()
    page.wait_for_function("() => document.getElementById('video').currentTime > 0.2")
    assert seen.console == []


def test_sound_can_be_left_out(without_sample, page: Page, tmp_path: Path):
    recording = write_recording(tmp_path / "private.flac", hum(3.0), codec="flac")
    page.goto(without_sample.address)
    page.set_input_files("#file", recording)
    page.get_by_text("Options").click()
    page.locator("#sound").select_option("no")
    page.get_by_role("button", name="Start the analysis").click()
    expect(page.locator(".banner h2")).to_be_visible(timeout=_RESULT)
    expect(page.locator(".sound-panel")).to_contain_text("It was left out of this analysis on request.")
