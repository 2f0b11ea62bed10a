"""What plays in a browser: what is taken as it is, what previews are like, and how they are served."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import socket
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import PIL.Image
import pytest
from analyses import media as facts_of
from celery.exceptions import SoftTimeLimitExceeded
from clips import UPRIGHT, cornered, corners, number_of, numbered, write_clip
from live import served
from made import digest, finished, hand_in
from media_files import boxed_photo

from detector.media.open import open_media
from detector.sandbox import Limits
from detector.schema.analysis import Media
from webapp.jobs.claims import LostClaim
from webapp.media import playback, preview_job
from webapp.media.playback import Playback
from webapp.media.preview_encoder import decide
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow

SMALL = [numbered(number) for number in range(30)]
VP9 = {"deadline": "realtime", "cpu-used": "8"}


def described(path: Path) -> Media:
    """The facts of a file as the engine would state them."""
    with open_media(path) as reader:
        sizes = [
            (f.width, f.height) if reader.orientation(f)[0] % 2 == 0 else (f.height, f.width)
            for f, _ in reader.every_frame()
        ]
        return facts_of(
            reader.kind,
            float(reader.duration),
            container=reader.container_format,
            codec=reader.codec,
            width=sizes[0][0],
            height=sizes[0][1],
            frames_decoded=reader.tally.decoded,
            frames_undecodable=reader.tally.undecodable,
            frame_rate=str(reader.frame_rate) if reader.frame_rate else None,
            sha256=digest(path.read_bytes()),
        )


def decided(path: Path, to: Path | None = None, **changes: object) -> Playback:
    media = described(path).model_copy(update=changes)
    return decide(path, to or path.with_name("preview"), media, 0, lambda _share: None)


def moments(path: Path) -> list[Fraction]:
    """Times of all frames, in seconds from the first."""
    with open_media(path) as reader:
        found = [pts for _, pts in reader.every_frame()]
        return [(pts - found[0]) * reader.time_base for pts in found]


def numbers(path: Path) -> list[int]:
    with open_media(path) as reader:
        return [number_of(frame.image) for frame in reader.frames(1000)]


def shaped(path: Path, *, rotation: float = 0, shape: Fraction | None = None, codec: str = "libx264") -> Path:
    """A clip with a display matrix or pixels that are not square."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        if shape:
            stream.codec_context.sample_aspect_ratio = shape
        if rotation:
            stream.set_display_rotation(rotation)
        for index in range(10):
            frame = av.VideoFrame.from_ndarray(cornered(), format="rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("name", ["a.heic", "a.avif"])
def test_a_photo_that_not_every_browser_shows_gets_a_jpeg(tmp_path, name):
    found = decided(boxed_photo(tmp_path / name, cornered()), tmp_path / "preview")
    assert (found.source, found.mimetype) == ("preview", "image/jpeg")
    with PIL.Image.open(tmp_path / "preview") as picture:
        assert picture.format == "JPEG" and corners(np.asarray(picture)) == UPRIGHT


@pytest.mark.parametrize(
    ("name", "choices", "mimetype"),
    [
        ("plain.mp4", {}, "video/mp4"),
        ("plain.mov", {"sound": True}, "video/mp4"),
        ("full.mp4", {"pix_fmt": "yuvj420p"}, "video/mp4"),
        (
            "parts.mp4",
            {"container_options": {"movflags": "frag_keyframe+empty_moov+delay_moov"}},
            "video/mp4",
        ),
        ("plain.webm", {"codec": "libvpx", "options": VP9}, "video/webm"),
        ("nine.webm", {"codec": "libvpx-vp9", "options": VP9}, "video/webm"),
    ],
)
def test_what_browsers_play_is_left_as_it_is(tmp_path, name, choices, mimetype):
    clip = write_clip(tmp_path / name, SMALL, **choices)
    found = decided(clip)
    assert (found.source, found.mimetype, found.reason) == ("exhibit", mimetype, "")
    assert (found.width, found.height) == (160, 96)
    assert not (tmp_path / "preview").exists()


@pytest.mark.parametrize(
    ("name", "choices", "changes", "reason"),
    [
        ("clip.mkv", {}, {}, "not every browser plays Matroska files"),
        ("clip.avi", {"codec": "mpeg4"}, {}, "not every browser plays AVI files"),
        ("old.mp4", {"codec": "mpeg4"}, {}, "not every browser plays MPEG-4 part 2"),
        ("new.mp4", {"codec": "libx265", "options": {"x265-params": "log-level=none"}}, {}, "plays HEVC"),
        ("deep.mp4", {"pix_fmt": "yuv420p10le"}, {}, "its colours are stored in a way"),
        ("wide.mp4", {"pix_fmt": "yuv444p"}, {}, "its colours are stored in a way"),
        ("lossless.mp4", {"options": {"qp": "0"}}, {}, "its colours are stored in a way"),
        ("torn.mp4", {}, {"frames_undecodable": 1}, "some of its frames cannot be decoded"),
        ("cut.mp4", {"pts": range(-5, 25)}, {}, "not all frames it announces are shown"),
        (
            "overlap.webm",
            {"codec": "libvpx", "options": VP9, "pts": range(0, 600, 20), "time_base": Fraction(1, 1000)},
            {},
            "its frames overlap in time",
        ),
        (
            "endless.webm",
            {"codec": "libvpx", "options": VP9, "container_options": {"live": "1"}},
            {},
            "it does not say how long it is",
        ),
    ],
)
def test_what_they_may_not_gets_a_preview_and_a_reason(tmp_path, name, choices, changes, reason):
    clip = write_clip(tmp_path / name, SMALL, **choices)
    found = decided(clip, **changes)
    assert (found.source, found.mimetype, found.offset) == ("preview", "video/mp4", 0.0)
    assert reason in found.reason and found.reason.startswith("Shown is a preview")
    assert moments(tmp_path / "preview") == moments(clip)
    assert numbers(tmp_path / "preview") == numbers(clip)


def test_pixels_that_are_not_square_and_key_frames_far_apart(tmp_path):
    assert "not square" in decided(shaped(tmp_path / "wide.mp4", shape=Fraction(4, 3))).reason
    rare = {"crf": "30", "g": "9999", "preset": "ultrafast"}
    clip = write_clip(tmp_path / "rare.mp4", (SMALL[i % 30] for i in range(700)), options=rare)
    assert "key frames are too far apart" in decided(clip).reason


def test_sound_that_browsers_lack(tmp_path):
    path = tmp_path / "camera.mov"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = SMALL[0].shape[:2]
        voice = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        for index, picture in enumerate(SMALL):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        hum = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        hum.sample_rate, hum.pts = 8000, 0
        container.mux(voice.encode(hum))
        container.mux(stream.encode())
        container.mux(voice.encode(None))
    assert "its sound (pcm_s16le)" in decided(path).reason


@pytest.mark.parametrize("first", [0, 13])
def test_the_offset_is_where_the_first_frame_stands(tmp_path, first):
    clip = write_clip(tmp_path / "clip.mp4", SMALL, pts=range(first, first + 30), sound=True)
    assert decided(clip).offset == pytest.approx(first / 25, abs=1e-9)
    silent = decided(write_clip(tmp_path / "silent.mp4", SMALL, pts=range(first, first + 30)))
    assert ("after the end it states" in silent.reason) == bool(first)


def test_a_preview_keeps_uneven_times_and_starts_at_zero(tmp_path):
    gaps = [40 + int(30 * np.sin(number)) for number in range(119)]
    pts = [1_700, *(1_700 + int(total) for total in np.cumsum(gaps))]
    clip = write_clip(
        tmp_path / "clip.mkv",
        (SMALL[i % 30] for i in range(120)),
        pts=pts,
        time_base=Fraction(1, 1000),
        sound=True,
    )
    made = tmp_path / "made"
    assert decided(clip, made).offset == 0.0
    assert [float(t) for t in moments(made)] == [(p - 1700) / 1000 for p in pts]
    with av.open(str(made)) as container:
        stream = container.streams.video[0]
        assert stream.start_time == 0 and not container.streams.audio
        keys = [float(e.timestamp * stream.time_base) for e in stream.index_entries if e.is_keyframe]
        assert keys[0] == 0 and max(b - a for a, b in zip(keys, keys[1:], strict=False)) <= 2.05
        assert stream.codec_context.pix_fmt == "yuv420p" and stream.codec_context.has_b_frames == 0
    data = made.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # plays before it has come in whole


def test_avi_frames_out_of_order_keep_their_times(tmp_path):
    clip = write_clip(tmp_path / "clip.avi", SMALL, codec="libx264", options={"crf": "12", "bf": "2"})
    decided(clip, tmp_path / "made")
    assert numbers(tmp_path / "made") == list(range(30))
    assert moments(tmp_path / "made") == moments(clip)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1921, 1080), (1280, 720)), ((1080, 1920), (720, 1280)), ((161, 97), (160, 96)), ((2, 2), (2, 2))],
)
def test_previews_are_even_and_not_large(tmp_path, size, expected):
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    clip = write_clip(tmp_path / "clip.avi", [picture] * 3, codec="mjpeg", pix_fmt="yuvj444p")
    found = decided(clip, tmp_path / "made")
    assert (found.width, found.height) == expected
    with av.open(str(tmp_path / "made")) as container:
        context = container.streams.video[0].codec_context
        assert (context.width, context.height) == expected


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_previews_are_upright(tmp_path, rotation):
    clip = shaped(tmp_path / "clip.mp4", rotation=rotation, codec="mpeg4")
    with open_media(clip) as reader:
        wanted = corners(next(iter(reader.frames(1))).image)
    assert wanted != UPRIGHT
    found = decided(clip, tmp_path / "made")
    assert (found.width, found.height) == ((128, 96) if rotation == 180 else (96, 128))
    with open_media(tmp_path / "made") as reader:
        assert corners(next(iter(reader.frames(1))).image) == wanted


@pytest.mark.parametrize(("pix_fmt", "height"), [("yuvj420p", 96), ("yuvj444p", 720)])
def test_colours_survive(tmp_path, pix_fmt, height):
    picture = np.empty((height, 160, 3), np.uint8)
    picture[:, :80], picture[:, 80:] = (200, 40, 60), (30, 90, 220)
    clip = write_clip(
        tmp_path / "clip.mkv", [picture] * 5, codec="mjpeg", pix_fmt=pix_fmt, options={"qscale": "2"}
    )
    decided(clip, tmp_path / "made")
    with open_media(clip) as before, open_media(tmp_path / "made") as after:
        one, other = (next(iter(reader.frames(1))).image for reader in (before, after))
    for column in (40, 120):
        assert np.abs(one[height // 2, column].astype(int) - other[height // 2, column]).max() <= 12
    with av.open(str(tmp_path / "made")) as container:
        context = container.streams.video[0].codec_context
        assert context.color_range == 1 and context.colorspace != 2


@pytest.mark.parametrize(
    ("suffix", "mimetype"), [("jpg", "image/jpeg"), ("png", "image/png"), ("webp", "image/webp")]
)
def test_photos_are_shown_as_they_are(tmp_path, suffix, mimetype):
    path = tmp_path / f"photo.{suffix}"
    PIL.Image.fromarray(cornered()).save(path)
    found = decided(path)
    assert (found.source, found.mimetype, found.offset) == ("exhibit", mimetype, 0.0)


def test_nothing_plays_of_what_cannot_be_read(tmp_path):
    path = tmp_path / "notes.mp4"
    path.write_text("no video")
    media = facts_of("video", 1.0)
    found = decide(path, tmp_path / "made", media, 0, lambda _share: None)
    assert found.source == "none" and found.reason.startswith("There is no preview of the exhibit.")


def test_a_full_disk_is_left_alone(tmp_path):
    clip = write_clip(tmp_path / "clip.mkv", SMALL)
    found = decide(clip, tmp_path / "made", described(clip), 1 << 60, lambda _share: None)
    assert found.source == "none" and "disk is too full" in found.reason


# Beside the worker


@pytest.fixture
def folders(app) -> Folders:
    return Folders(app.extensions["settings"].data)


@pytest.fixture
def clip(tmp_path) -> Path:
    return write_clip(tmp_path / "clip.mkv", SMALL)


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory) -> Path:
    """One that takes more than a moment to encode."""
    picture = np.zeros((720, 1280, 3), np.uint8)
    path = tmp_path_factory.mktemp("long") / "long.mkv"
    return write_clip(path, [picture] * 400, options={"preset": "ultrafast"})


LIMITS = Limits()


def nothing(_share: float) -> None:
    pass


def leftovers(folders: Folders) -> list[str]:
    return [path.name for path in folders.previews.iterdir() if path.name.startswith(".")]


def test_a_preview_is_made_once_an_exhibit(folders, clip, monkeypatch):
    media = described(clip)
    made = preview_job.prepare(folders, clip, media, 0, nothing, LIMITS)
    assert made.source == "preview" and playback.recorded(folders, media.sha256) == made
    assert moments(folders.preview(media.sha256)) == moments(clip)
    assert not leftovers(folders)
    monkeypatch.setattr(preview_job, "_ask", lambda *_: pytest.fail("it is there already"))
    assert preview_job.prepare(folders, clip, media, 0, nothing, LIMITS) == made
    folders.preview(media.sha256).unlink()
    assert playback.recorded(folders, media.sha256) is None  # one without the other is nothing


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
def test_what_a_hijacked_encoder_says_is_not_told_to_a_browser(folders, clip, monkeypatch, changes):
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

    monkeypatch.setattr(preview_job, "Sandbox", Hijacked)
    media = described(clip)
    made = preview_job.prepare(folders, clip, media, 0, nothing, LIMITS)
    assert made.source == "none" and not folders.preview(media.sha256).exists()
    assert playback.recorded(folders, media.sha256) == made


def test_progress_is_told_and_a_lost_claim_ends_it(folders, long_clip):
    shares: list[float] = []

    def lost(share: float) -> None:
        shares.append(share)
        raise LostClaim("x")

    with pytest.raises(LostClaim):
        preview_job.prepare(folders, long_clip, described(long_clip), 0, lost, LIMITS)
    assert 0 <= shares[0] < 1 and list(folders.previews.iterdir()) == []


def dies(*_arguments):
    os.kill(os.getpid(), signal.SIGSEGV)


def endless(*arguments):
    while True:
        arguments[-1]("encoding", 0.5)
        time.sleep(0.1)


def test_a_process_that_dies_and_one_that_takes_too_long_are_no_failure(folders, clip, monkeypatch):
    media = described(clip)
    with monkeypatch.context() as patched:
        patched.setattr("webapp.media.preview_encoder.decided", dies)
        found = preview_job.prepare(folders, clip, media, 0, nothing, LIMITS)
    assert found.source == "none" and "ended early" in found.reason
    assert playback.recorded(folders, media.sha256) == found

    def late(_share: float) -> None:
        raise SoftTimeLimitExceeded

    with monkeypatch.context() as patched:
        patched.setattr("webapp.media.preview_encoder.decided", endless)
        found = preview_job.prepare(folders, clip, media, 0, late, LIMITS)
    assert found.source == "none" and "time limit" in found.reason
    assert (
        preview_job.prepare(folders, clip, media, 0, nothing, LIMITS).source == "preview"
    )  # the next one tries again


@pytest.mark.fresh  # where allocation fails first depends on what is loaded already
def test_a_preview_that_takes_too_much_is_no_failure(folders, clip):
    found = preview_job.prepare(folders, clip, described(clip), 0, nothing, Limits(memory=60_000_000))
    assert found.source == "none" and "more memory than the 60 MB" in found.reason
    assert not leftovers(folders) and list(folders.analyses.iterdir()) == []


# In the browser's direction


@pytest.fixture
def playing(app, folders) -> str:
    """Id of a finished analysis whose exhibit, 1,000 bytes of nonsense, is said to play."""
    row = finished(app)
    place = folders.data / row.exhibit.path
    place.chmod(0o640)
    place.write_bytes(bytes(i % 251 for i in range(1000)))
    playback.save_playback(folders, row.exhibit.sha256, Playback("exhibit", "video/mp4", 0.5, 160, 96, ""))
    return row.id


def test_media_is_served_whole_and_in_parts(client, playing):
    address = f"/analyses/{playing}/media"
    whole = client.get(address)
    content = bytes(i % 251 for i in range(1000))
    assert (whole.status_code, whole.mimetype, whole.data) == (200, "video/mp4", content)
    assert whole.headers["Accept-Ranges"] == "bytes" and whole.content_length == 1000
    for asked, (start, stop) in {
        "bytes=0-": (0, 1000),
        "bytes=100-199": (100, 200),
        "bytes=990-": (990, 1000),
        "bytes=-10": (990, 1000),
        "bytes=5-5": (5, 6),
        "bytes=900-5000": (900, 1000),
    }.items():
        part = client.get(address, headers={"Range": asked})
        assert part.data == content[start:stop], asked
        assert part.content_length == stop - start
        if asked != "bytes=0-":
            assert part.status_code == 206
            assert part.headers["Content-Range"] == f"bytes {start}-{stop - 1}/1000"
    assert client.get(address, headers={"Range": "bytes=1000-"}).status_code == 416
    for odd in ("bytes=1-2,5-6", "lines=1-2", "nonsense"):
        assert client.get(address, headers={"Range": odd}).data == content
    head = client.head(address)
    assert head.status_code == 200 and head.content_length == 1000 and head.data == b""


def test_a_part_of_something_else_is_not_completed(client, playing):
    address = f"/analyses/{playing}/media"
    tag = client.get(address).headers["ETag"]
    part = {"Range": "bytes=10-19"}
    assert client.get(address, headers=part | {"If-Range": tag}).status_code == 206
    assert client.get(address, headers=part | {"If-Range": '"other"'}).status_code == 200


def test_media_can_do_nothing_as_a_page(client, playing):
    headers = client.get(f"/analyses/{playing}/media").headers
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"


def test_a_preview_is_served_in_the_exhibits_place(app, client, folders):
    row = finished(app)
    assert client.get(f"/analyses/{row.id}/media").status_code == 404  # an older analysis
    folders.preview(row.exhibit.sha256).write_bytes(b"preview")
    made = Playback("preview", "video/mp4", 0.0, 4, 4, "why")
    playback.save_playback(folders, row.exhibit.sha256, made)
    assert playback.playback(folders, row) == made
    answer = client.get(f"/analyses/{row.id}/media")
    assert (answer.data, answer.mimetype) == (b"preview", "video/mp4")
    playback.save_playback(folders, row.exhibit.sha256, dataclasses.replace(made, source="none"))
    assert client.get(f"/analyses/{row.id}/media").status_code == 404
    assert client.get(f"/analyses/{hand_in(app, b'other').id}/media").status_code == 409
    folders.playback(row.exhibit.sha256).write_text("{}")
    assert playback.playback(folders, row) is None


def test_players_that_do_not_read_hold_no_thread(app, playing, folders):
    """Forty paused videos, twenty-four threads: others are still answered."""
    with app.extensions["database"].begin() as session:
        place = folders.data / session.get_one(AnalysisRow, playing).exhibit.path
    place.write_bytes(bytes(64_000_000))
    with served(app) as address, contextlib.ExitStack() as links:

        def ask(path: str, more: str = "") -> socket.socket:
            port = int(address.rpartition(":")[2])
            link = links.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            link.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n".encode())
            return link

        stalled = [ask(f"/analyses/{playing}/media", "Range: bytes=1-\r\n") for _ in range(40)]
        assert all(each.recv(12) == b"HTTP/1.1 206" for each in stalled)
        began = time.monotonic()
        assert ask("/healthz").recv(12) == b"HTTP/1.1 200"
        assert time.monotonic() - began < 5
        rest = 0
        while rest < 63_999_999:
            rest += len(stalled[0].recv(1 << 20))


def test_the_process_ends_with_the_worker(folders, long_clip):
    """A worker that is killed leaves nobody behind who goes on encoding."""
    media = described(long_clip)
    reader, writer = os.pipe()

    def stop(_share: float) -> None:
        os.write(writer, str(len(_inside(folders.analyses))).encode())
        os.kill(os.getpid(), 9)

    parent = os.fork()
    if not parent:
        preview_job.prepare(folders, long_clip, media, 0, stop, LIMITS)
        os._exit(0)
    os.waitpid(parent, 0)
    assert os.read(reader, 10) == b"1"  # it was at work
    os.close(reader), os.close(writer)
    deadline = time.monotonic() + 60
    while (left := _inside(folders.analyses)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left


def _inside(folder: Path) -> list[str]:
    """Processes whose current folder is below this one, as that of confined ones is."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if os.readlink(place).startswith(str(folder)):
                found.append(place.parent.name)
    return found
