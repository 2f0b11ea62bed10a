"""Previews: made once for an exhibit, in a confined process that may die."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from celery.exceptions import SoftTimeLimitExceeded
from clips import write_clip
from preview_facts import SMALL, described, moments
from waiting import until

from detector.sandbox import Limits
from language.translation import speaking, text_of
from webapp.exhibits.media import playback, previews
from webapp.exhibits.media.playback import Playback, parse_playback, playback_json
from webapp.jobs.claims import LostClaim
from webapp.storage.data_folder import Folders


@pytest.fixture
def clip(tmp_path) -> Path:
    return write_clip(tmp_path / "clip.mkv", SMALL)


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory) -> Path:
    """A clip that takes more than a moment to encode."""
    picture = np.zeros((720, 1280, 3), np.uint8)
    path = tmp_path_factory.mktemp("long") / "long.mkv"
    return write_clip(path, [picture] * 300, options={"preset": "ultrafast"})


LIMITS = Limits()


def nothing(_share: float) -> None:
    pass


def remaining_files(folders: Folders) -> list[str]:
    return [path.name for path in folders.previews.iterdir() if path.name.startswith(".")]


def test_a_preview_is_made_once_per_exhibit(folders, clip, monkeypatch):
    media = described(clip)
    made = previews.prepare_playback(folders, clip, media, 0, nothing, LIMITS)
    assert made.source == "preview" and playback.read_decision(folders, media.sha256) == made
    assert moments(folders.preview(media.sha256)) == moments(clip)
    assert not remaining_files(folders)
    monkeypatch.setattr(previews, "_run", lambda *_: pytest.fail("it is there already"))
    assert previews.prepare_playback(folders, clip, media, 0, nothing, LIMITS) == made
    folders.preview(media.sha256).unlink()
    assert playback.read_decision(folders, media.sha256) is None  # one without the other is nothing


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "exhibit", "mimetype": "text/html"},
        {"source": "preview", "mimetype": "image/svg+xml"},
        {"source": "elsewhere"},
        {"mimetype": None},
        {"offset": float("inf")},
        {"width": -1},
        {"height": 10**9},
        {"reason": "x" * 9999},
        {"more": 1},
    ],
)
def test_types_from_a_hijacked_encoder_are_rejected(folders, clip, monkeypatch, changes):
    class Hijacked:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def __enter__(self) -> Hijacked:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def result(self, _report: object) -> object:
            right = Playback("preview", "video/mp4", 0.0, 4, 4, "")
            return dataclasses.asdict(right) | changes

    monkeypatch.setattr(previews, "Sandbox", Hijacked)
    media = described(clip)
    made = previews.prepare_playback(folders, clip, media, 0, nothing, LIMITS)
    assert made.source == "none" and not folders.preview(media.sha256).exists()
    assert playback.read_decision(folders, media.sha256) == made


def test_progress_is_reported_and_a_lost_claim_stops_encoding(folders, long_clip):
    shares: list[float] = []

    def lost(share: float) -> None:
        shares.append(share)
        raise LostClaim("x")

    with pytest.raises(LostClaim):
        previews.prepare_playback(folders, long_clip, described(long_clip), 0, lost, LIMITS)
    assert 0 <= shares[0] < 1 and list(folders.previews.iterdir()) == []


def test_concurrent_encoders_use_separate_files(folders, long_clip):
    """Containers that share the folder may have processes with the same id."""
    media, others = described(long_clip), []

    def another_meanwhile(_share: float) -> None:
        if not others:
            others.append(previews.prepare_playback(folders, long_clip, media, 0, nothing, LIMITS))

    made = previews.prepare_playback(folders, long_clip, media, 0, another_meanwhile, LIMITS)
    assert [made] == others and made.source == "preview"
    assert moments(folders.preview(media.sha256)) == moments(long_clip) and not remaining_files(folders)


def dies(*_arguments):
    os.kill(os.getpid(), signal.SIGSEGV)


def endless(*arguments):
    while True:
        arguments[-1]("encoding", 0.5)
        time.sleep(0.1)


def test_crashes_and_timeouts_do_not_fail_the_analysis(folders, clip, monkeypatch):
    media = described(clip)
    with monkeypatch.context() as patched:
        patched.setattr("webapp.exhibits.media.preview_encoder.decide_playback_confined", dies)
        decision = previews.prepare_playback(folders, clip, media, 0, nothing, LIMITS)
    assert decision.source == "none" and "ended early" in decision.reason
    assert playback.read_decision(folders, media.sha256) == decision

    def late(_share: float) -> None:
        raise SoftTimeLimitExceeded

    with monkeypatch.context() as patched:
        patched.setattr("webapp.exhibits.media.preview_encoder.decide_playback_confined", endless)
        decision = previews.prepare_playback(folders, clip, media, 0, late, LIMITS)
    assert decision.source == "none" and "time limit" in decision.reason
    assert (
        previews.prepare_playback(folders, clip, media, 0, nothing, LIMITS).source == "preview"
    )  # the next one tries again


@pytest.mark.fresh  # where allocation fails first depends on what is loaded already
def test_exceeded_limits_do_not_fail_the_analysis(folders, clip):
    decision = previews.prepare_playback(
        folders, clip, described(clip), 0, nothing, Limits(memory=60_000_000)
    )
    assert decision.source == "none" and "more memory than the 60 MB" in decision.reason
    stored = parse_playback(json.loads(json.dumps(playback_json(decision))))
    assert stored == decision and stored.cause is not None
    with speaking("de"):
        shown = text_of(stored.cause, stored.reason)
    assert shown.startswith("Es gibt keine Vorschau des Asservats.") and "als die erlaubten 60 MB" in shown
    assert not remaining_files(folders) and list(folders.analyses.iterdir()) == []


def silent(*arguments):
    """Keep working silently, so that no broken pipe ends the process."""
    arguments[-1]("encoding", 0.5)
    while True:
        time.sleep(60)


def test_the_encoder_ends_with_the_worker(folders, clip, monkeypatch):
    """A killed worker must not leave an encoder running."""
    media = described(clip)
    monkeypatch.setattr("webapp.exhibits.media.preview_encoder.decide_playback_confined", silent)
    reader, writer = os.pipe()

    def stop(_share: float) -> None:
        os.write(writer, str(len(_inside(folders.analyses))).encode())
        os.kill(os.getpid(), 9)

    parent = os.fork()
    if not parent:
        previews.prepare_playback(folders, clip, media, 0, stop, LIMITS)
        os._exit(0)
    os.waitpid(parent, 0)
    assert os.read(reader, 10) == b"1"  # it was at work
    os.close(reader), os.close(writer)
    until(lambda: not _inside(folders.analyses), "it goes on without its worker")


def _inside(folder: Path) -> list[str]:
    """Processes whose working directory is below this one, such as confined ones."""
    processes = []
    for place in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if os.readlink(place).startswith(str(folder)):
                processes.append(place.parent.name)
    return processes


def test_previews_of_earlier_versions_are_made_again(folders, clip, monkeypatch):
    """For example one that shows transparency differently from the analysis."""
    media = described(clip)
    made = previews.prepare_playback(folders, clip, media, 0, nothing, LIMITS)
    assert made.source == "preview"
    place, preview = folders.playback(media.sha256), folders.preview(media.sha256)
    earlier = {name: value for name, value in json.loads(place.read_text()).items() if name != "version"}
    place.write_text(json.dumps(earlier))
    preview.chmod(0o600)
    preview.write_bytes(b"as it was")
    assert playback.read_decision(folders, media.sha256) == made  # until then it plays
    with monkeypatch.context() as failing:
        failing.setattr(previews, "_run", lambda *_: Playback("none", "", 0.0, 0, 0, "no room"))
        assert previews.prepare_playback(folders, clip, media, 0, nothing, LIMITS) == made
    assert preview.read_bytes() == b"as it was"
    assert previews.prepare_playback(folders, clip, media, 0, nothing, LIMITS) == made
    assert preview.read_bytes() != b"as it was"
