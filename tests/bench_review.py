"""How the review desk bears a two-hour analysis: the browser's longest task in each kind of use.

Fifty thousand scores of five persons and three hundred segments, opened from disk. Tasks that
block the page for over 50 ms are what browsers call long. The same page's time for a fixed
amount of arithmetic stands beside them, so that a busy machine shows.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from flask import Flask
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parent))

from analyses import build
from chromium import ARGUMENTS, CHROMIUM

from tests import bench_options
from webapp import create_app
from webapp.downloads import bundles, desk_data
from webapp.exhibits.results import load_result

_WATCH = """
    window.tasks = [];
    new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map((one) => one.duration)))
        .observe({ type: "longtask", buffered: true });
"""
_ARITHMETIC = """() => {
    const began = performance.now();
    let sum = 0;
    for (let i = 0; i < 3e7; i += 1) sum += i % 7;
    return [performance.now() - began, sum][0];
}"""


def page_of(app: Flask, folder: Path) -> Path:
    """A bundle's page over the made-up analysis."""
    source = folder / "result"
    source.mkdir()
    analysis = build(source, persons=5, segments=300, duration=7200.0, count=10_000)
    (source / "analysis.json").write_text(analysis.to_json())
    result = load_result(source)
    data = desk_data.desk_document("a" * 32, result)
    with app.test_request_context():
        text = bundles.render_offline_page(result.view, data, [], {"report.pdf": "PDF report"})
    shutil.copytree(source / "overlays", folder / "page" / "overlays")
    (folder / "page" / "index.html").write_text(text)
    scores = sum(len(person.scores) for person in analysis.persons)
    print(f"{scores:,} scores, {len(analysis.segments)} segments, page of {len(text) / 1e6:.1f} MB")
    return folder / "page" / "index.html"


def scrub(page: Page, box: dict[str, float]) -> None:
    page.mouse.move(box["x"] + 20, box["y"] + 8)
    page.mouse.down()
    for step in range(60):
        page.mouse.move(box["x"] + 20 + step * 10, box["y"] + 8)
        page.wait_for_timeout(16)
    page.mouse.up()


def zoom_and_pan(page: Page, box: dict[str, float]) -> None:
    for _ in range(8):
        page.keyboard.press("+")
        page.wait_for_timeout(40)
    page.mouse.move(box["x"] + 500, box["y"] + 60)
    page.mouse.down()
    for step in range(40):
        page.mouse.move(box["x"] + 500 - step * 8, box["y"] + 60)
        page.wait_for_timeout(16)
    page.mouse.up()
    page.keyboard.press("0")


def explore(page: Page, _box: dict[str, float]) -> None:
    for value in range(10, 95, 5):
        page.locator("#explore").fill(f"{value / 100:.2f}")
        page.wait_for_timeout(40)
    page.locator("#explore-reset").click()


def segments(page: Page, _box: dict[str, float]) -> None:
    for _ in range(25):
        page.keyboard.press("n")
        page.wait_for_timeout(60)


def frames(page: Page, _box: dict[str, float]) -> None:
    for _ in range(40):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(20)


def main() -> None:
    bench_options.parser(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        app = create_app({"TESTING": True, "REELPROOF_DATA": folder / "data", "SEND": lambda _id: None})
        address = page_of(app, folder).as_uri()
        assert CHROMIUM, "no Chromium on this machine"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.add_init_script(_WATCH)
        page.goto(address)
        page.locator("#review").wait_for()
        page.wait_for_timeout(2000)
        show("opening it", page)
        page.locator("#lanes").scroll_into_view_if_needed()
        box: Any = page.locator("#lanes").bounding_box()
        for words, act in (
            ("scrubbing", scrub),
            ("zooming and moving along", zoom_and_pan),
            ("exploring thresholds", explore),
            ("segment after segment", segments),
            ("frame after frame", frames),
        ):
            page.evaluate("() => { window.tasks.length = 0; }")
            act(page, box)
            page.wait_for_timeout(300)
            show(words, page)
        print(f"for comparison, 30 million additions: {page.evaluate(_ARITHMETIC):.0f} ms")
        browser.close()
        app.extensions["database"].close()


def show(words: str, page: Page) -> None:
    tasks = page.evaluate("() => window.tasks")
    print(f"{words}: longest task {max(tasks):.0f} ms" if tasks else f"{words}: no task over 50 ms")


if __name__ == "__main__":
    main()
