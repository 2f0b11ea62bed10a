"""A clip is handed in, then a part of it encoded anew: what was found before is told, also meanwhile."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import pytest
from analyses import build
from axe import complaints
from clips import write_clip
from desk import Seen, Served, served
from made_fingerprints import scene
from made_results import write_result
from playwright.sync_api import Page, expect
from unconfined import Unconfined

from detector.files import hash_file
from detector.fingerprint.sampling import fingerprint_file
from detector.progress import Progress
from detector.sandboxed_engine import EngineJob
from webapp.exhibits.media import previews
from webapp.worker import run_analysis, run_job
from webapp.worker.fingerprint_jobs import FINGERPRINT

pytestmark = pytest.mark.browser

_HALF_SECOND = Fraction(1, 2)
_LENGTH, _BEFORE = 20, 8  # half seconds of the original, and of what comes before the part


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A clip of ten seconds; six of them again: smaller, mirrored, with strong compression."""
    folder = tmp_path_factory.mktemp("clips")
    every = np.repeat(scene(4, _LENGTH)[..., None], 3, axis=3)
    original = write_clip(folder / "original.mp4", every, rate=2, time_base=_HALF_SECOND)
    part = [cv2.resize(picture[:, ::-1], (160, 120)) for picture in every[_BEFORE:]]
    strong = {"crf": "36"}
    copy = write_clip(folder / "seen again.mp4", part, rate=2, time_base=_HALF_SECOND, options=strong)
    return original, copy


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("copies") / "data") as app:
        yield app


def hand_in(app: Served, page: Page, clip: Path, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Hand in a clip and see it through, without judging faces; ``meanwhile`` once all frames were seen."""

    def engine(job: EngineJob, folder: Path, progress: Progress, *_rest: Any) -> Any:
        made = fingerprint_file(job.path)
        assert made is not None
        (folder / FINGERPRINT).write_bytes(made.to_bytes())
        progress("second check", 0.7)
        meanwhile()
        analysis = build(folder, segments=0, file=job.file, sha256=job.path.name)
        facts = analysis.media.model_copy(update={"bytes": hash_file(job.path)[0]})
        analysis = analysis.model_copy(update={"media": facts})
        write_result(analysis, folder)
        return analysis

    page.goto(app.address)
    page.set_input_files("#file", clip)
    page.get_by_role("button", name="Start the analysis").click()
    page.wait_for_url(re.compile(r"/analyses/[0-9a-f]{32}$"))
    with contextlib.ExitStack() as patched:
        for module in (previews, previews):
            patched.enter_context(mock.patch.object(module, "Sandbox", Unconfined))
        patched.enter_context(mock.patch.object(run_analysis, "make_analysis", engine))
        run_job.work(app.app.extensions["settings"])
    expect(page.locator("#review")).to_be_attached()  # the page goes on by itself


def test_what_was_found_before_is_told(app: Served, page: Page, seen: Seen, clips: tuple[Path, Path]) -> None:
    notice = page.locator("#copies-found")
    hand_in(app, page, clips[0], meanwhile=lambda: expect(notice).to_be_hidden())
    hand_in(app, page, clips[1], meanwhile=lambda: expect(notice).to_be_visible())
    copies = page.get_by_role("region", name="This, or a part of it, was examined before")
    expect(copies).to_be_visible()
    expect(copies).to_contain_text("This video shows a part of it")
    expect(copies).to_contain_text("Mirrored")
    expect(copies).to_contain_text("160 × 120 pixels instead of 240 × 180")

    page.get_by_role("link", name="Times, differences and annotations").click()
    expect(page.get_by_role("heading", name="seen again.mp4")).to_be_visible()
    expect(page.locator(".copy .time")).to_have_text(
        ["00:00:00.000 – 00:00:06.000", "00:00:04.000 – 00:00:10.000"]
    )
    assert complaints(page) == []
    page.get_by_role("button", name="Compare the two").click()
    page.wait_for_url(re.compile(r"/comparisons/[0-9a-f]{32}$"))

    page.goto(f"{app.address}/analyses")
    page.get_by_role("link", name="1 similar").first.click()
    expect(page.locator("tr[data-analysis]")).to_have_count(2)
    page.get_by_role("link", name="original.mp4").click()
    expect(page.get_by_role("region", name="Other exhibits show the same")).to_contain_text(
        "contains all of it"
    )
    assert seen.console == []
