"""The app in a thread of the tests, with analyses that the real engine made of the sample."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import http_servers
from clips import Analysed
from flask import Flask
from unconfined import Unconfined

from detector import sandboxed_engine
from detector.schema.analysis import Analysis
from webapp import create_app
from webapp.exhibits.media import previews
from webapp.exhibits.uploads import exhibits
from webapp.jobs import states
from webapp.storage.data_folder import Folders
from webapp.storage.tables import Priority
from webapp.worker import run_job

CLIP = "two people.mp4"
# How an mp4 file begins: taken in, where what follows cannot be read.
BROKEN = b"\0\0\0\x18ftypisom" + b"no video at all\n" * 100


# Another analysis of the same clip to compare with. The second look, which takes most of the time, is in the
# first one.
_OTHER = {"enter_threshold": 0.97, "minimum_duration": 1.0, "edge_window": 0.0, "second_look": 0}


@dataclass
class Seen:
    """What a page did that a person does not see."""

    console: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)


@dataclass
class Served:
    """An app that answers at an address."""

    app: Flask
    address: str

    @property
    def folders(self) -> Folders:
        return Folders.local(self.app.extensions["settings"].data)

    def handed_in(self, file: Path, **given: Any) -> str:
        """The id of a queued analysis; ``given`` goes to :func:`webapp.jobs.states.create_analysis`."""
        with self.app.extensions["database"].begin() as session:
            exhibit = exhibits.store_file(session, self.folders, file, file.name, spare=0)
            return states.create_analysis(session, exhibit, file.name, **given).id

    def analysed(self, file: Path, **given: Any) -> str:
        """The id of a finished analysis of a file."""
        analysis = self.handed_in(file, priority=Priority.HIGH, **given)  # before what is left waiting
        with contextlib.ExitStack() as patched:
            for module in (sandboxed_engine, previews):
                patched.enter_context(mock.patch.object(module, "Sandbox", Unconfined))
            run_job.work(self.app.extensions["settings"])
        return analysis


@contextlib.contextmanager
def served(data: Path) -> Iterator[Served]:
    app = create_app({"TESTING": True, "REELPROOF_DATA": data, "SEND": lambda _id: None})
    with http_servers.served(app) as address:
        yield Served(app, address)
    app.extensions["database"].close()


@dataclass
class Workbench:
    """The app with an analysis in each state, made once for all tests; ids by what they are."""

    app: Served
    clip: Path
    first: str
    second: str  # of the same clip, with a higher threshold
    still: str
    waiting: str
    failed: str


def make_workbench(sample: Analysed, folder: Path) -> None:
    """Analyses of the sample, the one there is and a scan, one of a portrait, and two files that are none."""
    import skimage.data
    from PIL import Image

    clip, photo = folder / CLIP, folder / "portrait.png"
    shutil.copy(sample.path, clip)
    Image.fromarray(skimage.data.astronaut()).save(photo)
    for name in ("waiting.mp4", "failed.mp4"):
        (folder / name).write_text(f"{name}\n" * 100)
    with served(folder / "data") as app:
        with mock.patch("detector.analyze", partial(_known, sample)):
            first = app.analysed(clip)
        ids = {
            "first": first,
            "second": app.analysed(clip, changes=_OTHER),
            "still": app.analysed(photo),
            "waiting": app.handed_in(folder / "waiting.mp4"),
            "failed": app.analysed(folder / "failed.mp4"),
        }
    (folder / "ids.json").write_text(json.dumps(ids))


def _known(sample: Analysed, _path: Path, *, name: str, images: Path, **_given: Any) -> Analysis:
    """What the engine found in the sample when it was asked by the first test of this run."""
    shutil.copytree(sample.folder, images, dirs_exist_ok=True)
    media = sample.analysis.media.model_copy(update={"file": name})
    return sample.analysis.model_copy(update={"media": media})


def workbench(folder: Path, app: Served) -> Workbench:
    """What :func:`make_workbench` left in ``folder``, served by ``app``."""
    return Workbench(app, folder / CLIP, **json.loads((folder / "ids.json").read_text()))
