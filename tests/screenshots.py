"""Makes the pictures of README: the review desk, and the first page of the PDF report.

``make screenshots`` runs it. It starts the app on a temporary data folder, waits until the
project's own sample is analysed, as it is at a first start, and writes WebP files to
``docs/images``. Nothing but public addresses of the app is used.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pypdfium2
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.chromium import ARGUMENTS, CHROMIUM

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
DESK, REPORT = "review-desk.webp", "report-page.webp"

_LONGEST = 300_000  # milliseconds: the first analysis on a slow machine
_VIEWPORT = {"width": 1280, "height": 1000}
_DENSITY = 1.5  # device pixels a CSS pixel, so that text stays sharp on dense screens
_PDF_SCALE = 1.6  # pixels a PDF point (1/72 inch)


@contextmanager
def running_app(data: Path) -> Iterator[str]:
    """The address of ``python -m webapp`` on a free port, with ``data`` as its data folder."""
    settings = {"PORT": "0", "REELPROOF_DATA": str(data), "REELPROOF_LOGIN": "off"}
    process = subprocess.Popen(
        [sys.executable, "-m", "webapp"],
        cwd=ROOT,
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        match = re.search(r"http://[^ ]+", process.stdout.readline())
        if match is None:
            raise SystemExit("screenshots: the app did not start")
        yield match[0].strip()
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def open_sample(page: Page, address: str) -> str:
    """Wait until the sample's analysis has ended; returns its address."""
    page.set_default_timeout(_LONGEST)
    page.goto(f"{address}/analyses")
    page.get_by_role("link", name="Reelproof sample.mp4").first.click()
    page.get_by_role("heading", name="Strong signs of manipulation").wait_for()
    page.wait_for_function("() => document.getElementById('video')?.readyState >= 2")
    page.locator("#pdf-report[href]").wait_for()
    return page.url.split("?")[0]


def picture_of_desk(page: Page) -> Image.Image:
    """The desk at the flagged segment's peak frame, boxes and heatmap over the video."""
    page.keyboard.press("n")
    drawn = "document.getElementById('review').desk.player.overlay.drawn"
    page.wait_for_function(f"() => {drawn}.some((one) => one.map)")
    page.locator("#inspector-title").filter(has_text="A1").wait_for()
    page.evaluate("() => scrollTo(0, 0)")
    lanes = page.locator("#lanes").bounding_box()
    assert lanes is not None
    clip = {"x": 0, "y": 0, "width": _VIEWPORT["width"], "height": lanes["y"] + lanes["height"] + 2}
    return Image.open(BytesIO(page.screenshot(animations="disabled", clip=clip)))


def picture_of_report(pdf: bytes) -> Image.Image:
    """The report's first page, which has the summary of the finding."""
    return pypdfium2.PdfDocument(pdf)[0].render(scale=_PDF_SCALE).to_pil()


def save(picture: Image.Image, path: Path) -> None:
    picture.convert("RGB").save(path, "WEBP", quality=88, method=6)
    print(f"{path}: {picture.width}×{picture.height} px, {path.stat().st_size:,} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=IMAGES, help="folder for the pictures")
    parser.add_argument("--data", type=Path, help="data folder to use, in place of a temporary one")
    options = parser.parse_args()
    if CHROMIUM is None:
        raise SystemExit("screenshots: no Chromium on this machine; `make screenshots` installs it")
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running_app(options.data or Path(folder)) as address:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            page = browser.new_page(viewport=_VIEWPORT, device_scale_factor=_DENSITY)
            analysis = open_sample(page, address)
            pdf = page.request.get(f"{analysis}/report.pdf", timeout=_LONGEST).body()
            save(picture_of_desk(page), options.out / DESK)
            browser.close()
        save(picture_of_report(pdf), options.out / REPORT)


if __name__ == "__main__":
    main()
