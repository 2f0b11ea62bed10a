"""A picture that carries a generator's hidden mark, from upload to report."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from hidden_texts import hide_text
from imwatermark import WatermarkEncoder
from PIL import Image
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

_RESULT = 240_000  # milliseconds
XL = [int(bit) for bit in f"{0xB3EC907BB19E:048b}"]
SENTENCE = "carries the hidden mark that Stable Diffusion XL writes; 48 of 48 bits"


def marked_picture(path: Path) -> Path:
    """Write a picture without a face, marked as diffusers marks its pictures: as floats."""
    encoder = WatermarkEncoder()
    encoder.set_watermark("bits", XL)
    scene = cv2.resize(skimage.data.coffee(), (640, 512), interpolation=cv2.INTER_CUBIC)
    marked = encoder.encode(scene[:, :, ::-1].astype(np.float32), "dwtDct")[:, :, ::-1]
    Image.fromarray(np.clip(np.round(marked), 0, 255).astype(np.uint8)).save(path)
    return path


def hand_in(page: Page, address: str, path: Path) -> None:
    page.goto(address)
    page.set_input_files("#file", path)
    page.get_by_role("button", name="Start the analysis").click()
    page.wait_for_url(re.compile(r"/analyses/[0-9a-f]{32}$"))
    expect(page.get_by_role("heading", name="Inconclusive")).to_be_visible(timeout=_RESULT)


def test_a_mark_is_shown_from_upload_to_report(without_sample, page: Page, tmp_path: Path) -> None:
    hand_in(page, without_sample.address, marked_picture(tmp_path / "marked.png"))
    expect(page.locator(".banner-declared")).to_contain_text(SENTENCE)
    expect(page.get_by_text("SynthID").first).to_be_attached()

    page.get_by_text("More", exact=True).click()
    page.get_by_role("link", name="HTML report").click()
    expect(page.locator(".verdict-declared")).to_contain_text(SENTENCE, timeout=_RESULT)

    plain = tmp_path / "plain.png"
    Image.fromarray(skimage.data.coffee()).save(plain)
    hand_in(page, without_sample.address, plain)
    expect(page.locator(".banner-declared")).to_have_count(0)
    page.goto(f"{without_sample.address}/analyses?marks=yes")
    expect(page.get_by_role("link", name="marked.png")).to_be_visible()
    expect(page.get_by_role("link", name="plain.png")).to_have_count(0)
    expect(page.get_by_label("Carries a hidden mark of a generator")).to_be_checked()


def test_settings_in_the_lowest_bits_are_shown(without_sample, page: Page, tmp_path: Path) -> None:
    path = tmp_path / "novel.png"
    text = '{"Software": "NovelAI", "Comment": "{\\"prompt\\": \\"a cup\\", \\"steps\\": 28, \\"seed\\": 1}"}'
    hide_text(Image.fromarray(skimage.data.coffee()).convert("RGBA"), text, packed=True).save(path)
    hand_in(page, without_sample.address, path)
    banner = page.locator(".banner-declared")
    expect(banner).to_contain_text("NovelAI")
    expect(banner).to_contain_text("lowest bits of the transparency")
