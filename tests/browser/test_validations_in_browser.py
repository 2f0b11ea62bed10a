"""Validations in Chromium: faces and voices have figures of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe import complaints, complaints_in_both, horizontal_overflow
from desk import Served
from labelled_cases import fill, labels_of, shipped_model, spoken_exhibits
from playwright.sync_api import Browser, expect

from detector.validation.validated_model import validated_voice_model

pytestmark = pytest.mark.browser


def test_a_validation_shows_faces_and_voices(idle: Served, browser: Browser, tmp_path: Path) -> None:
    shipped = shipped_model()
    case, _ = fill(idle.app, shipped, 1)
    spoken = spoken_exhibits(idle.app, shipped, case, tmp_path)
    faces = "manipulated-0.mp4,manipulated,\nreal-0.mp4,real,\n"
    context = browser.new_context(viewport={"width": 1280, "height": 720}, bypass_csp=True)
    page = context.new_page()
    page.goto(f"{idle.address}/validations/new?case={case}")
    page.get_by_label("Name of the material").fill("Reference")
    page.get_by_label("Labels, as a table (CSV)").fill(f"file,label,voice\n{faces}{labels_of(spoken)}")
    page.get_by_role("button", name="Compute the validation").click()
    expect(page.get_by_role("heading", name="Reference")).to_be_visible()
    of_faces, of_voices = (
        page.get_by_role("group", name=f"Error rates, {what}") for what in ("Video", "Voices")
    )
    expect(of_faces.get_by_role("row")).to_contain_text(["Part", "all clips"])
    row = of_voices.get_by_role("row", name="all voices")
    expect(row.get_by_role("cell")).to_contain_text(["2", "2", "%", "%"])
    expect(of_voices.get_by_text("Synth.")).to_be_visible()
    for width, height, audit in ((1280, 720, complaints_in_both), (390, 844, complaints)):
        page.set_viewport_size({"width": width, "height": height})
        assert audit(page) == [] and horizontal_overflow(page) <= 0
    page.get_by_role("link", name="Validations", exact=True).first.click()
    expect(page.locator(".entries")).to_contain_text(validated_voice_model().title)
    assert complaints_in_both(page) == []
    context.close()
