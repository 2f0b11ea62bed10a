"""What a live session leaves for a page: whole, bounded, and read as a stranger's would be."""

from __future__ import annotations

import io
import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from waiting import until

from detector.errors import MediaError, ParameterError
from detector.live import player
from detector.live.player import SharedSession
from detector.live.sources import LiveSource
from detector.live.state import (
    MOST_FACES,
    MOST_LANES,
    MOST_SCORES,
    PICTURE_LIMIT,
    STATE,
    STATE_LIMIT,
    is_id,
    read_picture,
    read_state,
)
from detector.schema.analysis import Parameters
from detector.schema.formatting import N_
from language.translation import cause_text, speaking

SEGMENT = {
    "track": 0,
    "start": 1.0,
    "end": 2.0,
    "confidence": 0.9,
    "frames": 9,
    "peak": 1.5,
    "peak_probability": 0.95,
}


class Seen:
    """A session that says it saw what it was made with."""

    def __init__(self, size: tuple[int, int] = (96, 160), **changes: object) -> None:
        self.asked = 0
        self.picture = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
        self.seen = {
            "time": 3.0,
            "frames": 5,
            "faces": [{"track": 0, "box": [1.0, 2.0, 30.0, 40.0], "probability": 0.5}],
            "lanes": [{"track": 0, "scores": [(2.0, 0.5), (2.125, 0.75)]}],
            "open": [{"track": 0, "start": 2.0, "end": 2.125}],
            "segments": [SEGMENT],
            "segments_in_all": 1,
            **changes,
        }

    def snapshot(self):
        self.asked += 1
        return dict(self.seen), self.picture


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(player, "_EVERY", 0.01)


def shared(place: Path, session: object) -> SharedSession:
    return SharedSession(place, session, LiveSource("camera", "0"), "a model", Parameters())  # type: ignore[arg-type]


def test_state_round_trip(tmp_path):
    began = time.time()
    with shared(tmp_path, Seen()) as publisher:
        until(lambda: read_state(publisher.folder), "nothing is written")
        publisher.scored(0.25, 3)
        assert read_state(publisher.folder)[0].ended is None
        publisher.ended = "the source ended"
    state, written = read_state(publisher.folder)
    assert is_id(publisher.folder.name) and publisher.folder.stat().st_mode & 0o077 == 0
    assert (state.source, state.model, state.ended) == ("Camera 0", "a model", "the source ended")
    assert (state.time, state.scored, state.dropped, state.delay) == (3.0, 5, 3, 0.25)
    assert state.picture.faces[0].box == (1.0, 2.0, 30.0, 40.0)
    assert state.lanes[0].scores == ((2.0, 0.5), (2.125, 0.75))
    assert state.open[0].start == 2.0 and state.segments[0].confidence == 0.9
    assert began - 1 <= written <= time.time()  # a file system's clock ticks some times a second
    picture = Image.open(io.BytesIO(read_picture(publisher.folder, state.picture.number)))
    assert (picture.format, picture.size) == ("JPEG", (160, 96))


@pytest.mark.parametrize("size", [(2000, 3000), (4000, 500)])
def test_largest_state_is_within_the_read_limit(tmp_path, size):
    """Noise, which compresses worst, with more of everything than is shown."""
    many = range(120)
    at = [(60 * n / 7200, 0.123456789) for n in range(7200)]
    session = Seen(
        size,
        faces=[{"track": n, "box": [1234.567] * 4, "probability": 0.123456789} for n in many],
        lanes=[{"track": n, "scores": at} for n in many],
        open=[{"track": n, "start": 1.0, "end": 2.0} for n in many],
        segments=[SEGMENT] * 200,
    )
    with shared(tmp_path, session) as publisher:
        until(lambda: (publisher.folder / STATE).exists(), "nothing is written")
    state, _ = read_state(publisher.folder)
    assert (len(state.lanes), len(state.picture.faces)) == (MOST_LANES, MOST_FACES)
    assert all(len(lane.scores) == MOST_SCORES for lane in state.lanes)
    times = [time for time, _ in state.lanes[0].scores]
    assert times == sorted(times) and times[0] < 0.2 and abs(times[-1] - at[-1][0]) < 1e-3
    data = read_picture(publisher.folder, 5)
    assert max(Image.open(io.BytesIO(data)).size) == 960
    assert (state.picture.height, state.picture.width) == size


def test_only_latest_pictures_are_kept(tmp_path, quick):
    session = Seen()
    with shared(tmp_path, session) as publisher:
        for number in range(6, 26):
            session.seen["frames"] = number
            until(lambda number=number: read_picture(publisher.folder, number), "a picture is missing")
            assert len(list(publisher.folder.glob("*.jpg"))) <= 9
    assert read_picture(publisher.folder, 6) is None
    assert {path.name for path in publisher.folder.iterdir()} == {STATE, *(f"{n}.jpg" for n in range(18, 26))}


def test_readers_never_see_a_partial_state(tmp_path, quick):
    with shared(tmp_path, Seen(segments=[SEGMENT] * 200)) as publisher:
        until(lambda: (publisher.folder / STATE).exists(), "nothing is written")
        assert all(read_state(publisher.folder) for _ in range(300))


def test_ended_names_the_cause(tmp_path):
    for problem, words in (
        (MediaError("The stream broke."), "The stream broke."),
        (OSError(), "it broke off"),
    ):
        with pytest.raises(type(problem)), shared(tmp_path, Seen()) as publisher:
            raise problem
        assert read_state(publisher.folder)[0].ended == words


def test_missing_folder_does_not_stop_the_session(tmp_path, quick, capsys):
    session = Seen()
    with shared(tmp_path, session) as publisher:
        until(lambda: (publisher.folder / STATE).exists(), "nothing is written")
        shutil.rmtree(publisher.folder, ignore_errors=True)
        shutil.rmtree(publisher.folder, ignore_errors=True)
        written = session.asked
        until(lambda: session.asked > written + 3, "it asks no more")
    assert capsys.readouterr().err.count("the session cannot be shared") == 1


def test_names_that_are_not_unicode_or_too_long(tmp_path):
    for name in ("a\udcff.mp4", "x" * 400):
        with SharedSession(tmp_path, Seen(), LiveSource("file", name), name, Parameters()) as publisher:
            publisher.ended = name
        state, _ = read_state(publisher.folder)
        assert state.source == state.model == state.ended == name.replace("\udcff", "\\udcff")[:300]


def test_the_cause_of_an_end_can_be_translated(tmp_path):
    problem = MediaError(
        N_("%(file)s cannot be read: %(problem)s") % {"file": "a\udcff.mp4", "problem": N_("stopped")}
    )
    with pytest.raises(MediaError), shared(tmp_path, Seen()) as publisher:
        raise problem
    cause = read_state(publisher.folder)[0].cause
    with speaking("de"):
        assert cause and cause_text(cause) == "a\\udcff.mp4 kann nicht gelesen werden: beendet"


def test_missing_share_folder(tmp_path):
    with pytest.raises(ParameterError, match="there is no such folder"):
        shared(tmp_path / "missing", Seen())


@pytest.mark.parametrize(
    ("source", "label"),
    [
        (LiveSource("camera", "/dev/video2"), "Camera /dev/video2"),
        (LiveSource("file", "/home/ada/secret case/clip.mp4"), "clip.mp4"),
        (LiveSource("stream", "rtsp://cam.example:554/1?key=secret"), "rtsp://cam.example:554"),
        (LiveSource("stream", "rtsp://ada:secret@cam.example/1"), "rtsp://cam.example"),
        (LiveSource("stream", "rtsp://ada:sec/ret@cam.example/1"), "rtsp://…"),
        (LiveSource("stream", "http://ada:sec?r@cam.example"), "http://…"),
    ],
)
def test_source_label_hides_private_parts(source, label):
    assert source.label == label


@pytest.fixture
def folder(tmp_path) -> Path:
    """A session as it was written."""
    with shared(tmp_path, Seen()) as publisher:
        pass
    return publisher.folder


def changed(folder: Path, **changes: object) -> None:
    path = folder / STATE
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_incomplete_state(folder):
    data = (folder / STATE).read_bytes()
    for length in (0, 1, len(data) // 2, len(data) - 1):
        (folder / STATE).write_bytes(data[:length])
        assert read_state(folder) is None
    (folder / STATE).write_bytes(data)
    assert read_state(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"more": 1},
        {"time": float("nan")},
        {"time": float("inf")},
        {"time": -1},
        {"scored": 10**400},
        {"scored": "many"},
        {"source": "x" * 301},
        {"source": ""},
        {"source": ["x"]},
        {"started": 1e300},
        {"enter_threshold": 2},
        {"lanes": [{"track": 0, "scores": []}] * (MOST_LANES + 1)},
        {"lanes": [{"track": 0, "scores": [(0, 0)] * (MOST_SCORES + 1)}]},
        {"lanes": [{"track": 0, "scores": [(0, 2)]}]},
        {"segments": [SEGMENT] * 201},
        {"segments": [SEGMENT | {"confidence": None}]},
        {"picture": {"number": 1, "time": 0, "width": 0, "height": 1, "faces": []}},
        {"picture": "../../secret.key"},
        {"ended": {"__class__": "x"}},
    ],
)
def test_invalid_state(folder, changes):
    assert read_state(folder)
    changed(folder, **changes)
    assert read_state(folder) is None


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "null", "[]", "\xff", '"\\ud800"', "1" * 9000]
)
def test_missing_state(folder, text):
    (folder / STATE).write_bytes(text.encode("latin-1"))
    assert read_state(folder) is None


def test_files_above_the_limit(folder):
    with (folder / STATE).open("ab") as file:
        file.write(b" " * STATE_LIMIT)
    assert read_state(folder) is None
    (folder / "7.jpg").write_bytes(b"\xff\xd8\xff".ljust(PICTURE_LIMIT + 1, b"\0"))
    assert read_picture(folder, 7) is None


def test_only_plain_files_are_read(folder, tmp_path):
    data = (folder / STATE).read_bytes()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(data)
    (tmp_path / ("0" * 32)).symlink_to(folder)
    assert read_state(tmp_path / ("0" * 32)) is None  # a link to a session
    (folder / STATE).unlink()
    assert read_state(folder) is None
    (folder / STATE).symlink_to(elsewhere)
    assert read_state(folder) is None
    (folder / STATE).unlink()
    os.mkfifo(folder / STATE)  # and nobody is waited for
    assert read_state(folder) is None
    (folder / STATE).unlink()
    (folder / STATE).mkdir()
    assert read_state(folder) is None


def test_invalid_pictures(folder, tmp_path):
    for name, data in (("7", b"<svg onload=alert(1)>"), ("8", b"\x89PNG"), ("9", b"")):
        (folder / f"{name}.jpg").write_bytes(data)
        assert read_picture(folder, int(name)) is None
    (tmp_path / "real.jpg").write_bytes(b"\xff\xd8\xff")
    (folder / "10.jpg").symlink_to(tmp_path / "real.jpg")
    assert read_picture(folder, 10) is None
    assert read_picture(folder, 10**500) is None
