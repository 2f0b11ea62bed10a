"""Somebody's own model in a real browser: refused, added, chosen for a photo, made the default, removed."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from detector.models.model_files import DEFAULT_MODEL, MODELS_FOLDER

pytestmark = pytest.mark.browser

_CHECK = 120_000  # milliseconds; torch has to load
_RESULT = 240_000


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """The shipped default under another name, with a title that tries to be more than text."""
    card, weights = tmp_path / "own-model.json", tmp_path / "own-model.safetensors"
    shipped = json.loads((MODELS_FOLDER / f"{DEFAULT_MODEL}.json").read_text())
    card.write_text(json.dumps(shipped | {"name": "own-model", "title": "<b>Own</b> model"}))
    shutil.copy(MODELS_FOLDER / f"{DEFAULT_MODEL}.safetensors", weights)
    return card, weights


def send(page: Page, card: Path, weights: Path) -> None:
    page.set_input_files("#card", card)
    page.set_input_files("#weights", weights)
    page.get_by_role("button", name="Check and add").click()


def test_add_choose_and_remove_a_model(without_sample, page: Page, seen, pair, tmp_path: Path):
    import skimage.data
    from PIL import Image

    card, weights = pair
    page.set_default_timeout(_CHECK)  # a click waits for the page it leads to
    page.goto(without_sample.address)
    page.get_by_role("link", name="Models", exact=True).click()
    shipped = page.locator(f"#model-{DEFAULT_MODEL}")
    expect(shipped).to_contain_text("Default")
    expect(shipped.get_by_text("Remove")).to_have_count(0)

    checkpoint = tmp_path / "own-model.pt"
    shutil.copy(weights, checkpoint)
    send(page, card, checkpoint)
    expect(page.get_by_role("alert")).to_contain_text("own-model.pt is a pickled checkpoint")
    # The browser notes any answer of 400 by itself.
    assert [line for line in seen.console if "400" not in line] == []
    seen.console.clear()

    send(page, card, weights)
    own = page.locator("#model-own-model")
    expect(own).to_contain_text("The card and the weights fit together", timeout=_CHECK)
    expect(own.get_by_role("heading", name="<b>Own</b> model")).to_be_visible()
    expect(own).to_contain_text(hashlib.sha256(weights.read_bytes()).hexdigest()[:12])

    photo = tmp_path / "portrait.png"
    Image.fromarray(skimage.data.astronaut()).save(photo)
    page.goto(without_sample.address)
    chosen = page.get_by_label("Model", exact=True)
    expect(chosen).to_have_value(DEFAULT_MODEL)
    page.get_by_text("Options").click()
    chosen.select_option("own-model")
    page.set_input_files("#file", photo)
    page.get_by_role("button", name="Start the analysis").click()
    page.wait_for_url(re.compile(r"/analyses/[0-9a-f]{32}$"))
    expect(page.locator("#verdict")).to_be_visible(timeout=_RESULT)
    expect(page.locator(".about").get_by_text("own-model", exact=True).first).to_be_visible()
    expect(page.get_by_text("<b>Own</b> model")).to_be_visible()

    page.goto(f"{without_sample.address}/models")
    own.get_by_role("button", name="Make default").click()
    expect(own.locator(".tag-default")).to_be_visible()
    expect(own.get_by_text("Remove")).to_have_count(0)
    page.goto(without_sample.address)
    expect(page.get_by_label("Model", exact=True)).to_have_value("own-model")

    page.goto(f"{without_sample.address}/models")
    shipped.get_by_role("button", name="Make default").click()
    own.locator(".removal summary").click()
    own.get_by_role("button", name="Remove own-model").click()
    expect(own).to_have_count(0)
    assert seen.console == []
    assert list((without_sample.data / "models").iterdir()) == []
