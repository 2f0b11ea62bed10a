"""Real apps and a real Chromium for the browser tests, and pages and files that several of them need."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import desk
import pytest
import skimage.data
from app_process import App, skip_sample
from chromium import ARGUMENTS, CHROMIUM
from clips import Analysed
from desk import Seen
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from quick_apps import Quick
from review_desk import WORK, ready
from run_cache import made_once

from detector.models.model_files import DEFAULT_MODEL, MODELS_FOLDER
from webapp import create_app
from webapp.installed_models import service
from webapp.storage.data_folder import Folders

_PATIENCE = 60_000.0  # milliseconds an expectation is given on a slow machine


@pytest.fixture(scope="session", autouse=True)
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tables are copied, not migrated, and passwords hashed at the least cost."""
    quick = Quick(tmp_path_factory.mktemp("template"))
    quick.install()
    yield
    quick.remove()


def running(data: Path) -> Iterator[App]:
    app = App(data)
    app.start()
    yield app
    app.stop()


@pytest.fixture
def reelproof(tmp_path: Path, model: str) -> Iterator[App]:
    """In a data folder that had its sample, with ``model`` as its default."""
    skip_sample(tmp_path / "data")
    if model != DEFAULT_MODEL:  # a copy of its scan under another name, which has no second look
        app = create_app({"REELPROOF_DATA": tmp_path / "data"})
        folder = Folders.local(tmp_path / "data").models / model
        folder.mkdir()
        card = json.loads((MODELS_FOLDER / f"{DEFAULT_MODEL}.json").read_bytes()) | {"name": model}
        (folder / f"{model}.json").write_text(json.dumps(card))
        shutil.copy(MODELS_FOLDER / f"{DEFAULT_MODEL}.safetensors", folder / f"{model}.safetensors")
        with app.extensions["database"].alone() as session:
            service.choose_default(session, Folders.local(tmp_path / "data"), model)
        app.extensions["database"].close()
    yield from running(tmp_path / "data")


@pytest.fixture(scope="module")
def without_sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """In a data folder that had its sample, so that nothing else is in the queue; one for all of a file."""
    data = tmp_path_factory.mktemp("without-sample") / "data"
    skip_sample(data)
    yield from running(data)


@pytest.fixture(scope="session")
def workbench(
    analysed_sample: Analysed, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[desk.Workbench]:
    """Analyses the real engine made, once for all processes of a run: each has a copy of its own."""
    folder = tmp_path_factory.mktemp("workbench")
    made = made_once(tmp_path_factory, "workbench", partial(desk.make_workbench, analysed_sample))
    shutil.copytree(made, folder / "mine")
    with desk.served(folder / "mine" / "data") as app:
        yield desk.workbench(folder / "mine", app)


@pytest.fixture(scope="session")
def chromium() -> Iterator[tuple[Browser, asyncio.AbstractEventLoop]]:
    """One browser for all tests of this process, and the event loop it is driven by."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    expect.set_options(timeout=_PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        browser.new_context = partial(_patient, browser.new_context)  # type: ignore[method-assign]
        loop = asyncio.get_running_loop()
        asyncio._set_running_loop(None)
        yield browser, loop
        asyncio._set_running_loop(loop)
        browser.close()


def _patient(new_context: Callable[..., BrowserContext], **options: Any) -> BrowserContext:
    """A context whose pages are given time on a slow machine, to load as well."""
    context = new_context(**options)
    context.set_default_timeout(2 * _PATIENCE)
    return context


@pytest.fixture(scope="module")
def browser(chromium: tuple[Browser, asyncio.AbstractEventLoop]) -> Iterator[Browser]:
    """Playwright leaves its event loop running in this thread, which tests of other kinds must not meet."""
    browser, loop = chromium
    asyncio._set_running_loop(loop)
    yield browser
    for context in browser.contexts:
        context.close()
    asyncio._set_running_loop(None)


@pytest.fixture(scope="module")
def modules(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page that can import the app's modules from ``/static/js``."""
    with desk.served(tmp_path_factory.mktemp("modules") / "data") as app:
        page = browser.new_page()
        page.goto(f"{app.address}/help")
        yield page
        page.close()


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def page(browser: Browser, seen: Seen) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 720}, accept_downloads=True)
    page = context.new_page()
    page.on("console", lambda message: seen.console.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda problem: seen.console.append(f"error: {problem}"))
    page.on("request", lambda request: seen.addresses.append(request.url))
    yield page
    context.close()


@pytest.fixture
def reviewed(workbench: desk.Workbench) -> tuple[desk.Served, str]:
    """The app, and the id of its analysis of the sample."""
    return workbench.app, workbench.first


@pytest.fixture(name="desk")
def opened_desk(reviewed: tuple[desk.Served, str], page: Page) -> Page:
    """The review desk of that analysis, once it shows a frame."""
    app, analysis = reviewed
    page.set_default_timeout(WORK)
    page.goto(f"{app.address}/analyses/{analysis}")
    expect(page.locator("#review")).to_be_visible()
    ready(page)
    return page


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Three photos that differ, without a face: judging one takes longer than all else."""
    made = []
    for name, picture in (("rocket", skimage.data.rocket()), ("coffee", skimage.data.coffee())):
        made.append(tmp_path / f"{name}.png")
        Image.fromarray(picture).resize((480, 480)).save(made[-1])
    made.append(tmp_path / "cat.jpg")
    Image.fromarray(skimage.data.chelsea()).save(made[-1])
    return made


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[desk.Served]:
    """The app alone, without a worker."""
    with desk.served(tmp_path / "data") as app:
        yield app
