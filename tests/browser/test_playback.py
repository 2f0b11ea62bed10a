"""What plays, in a real Chromium: each frame of the analysis is found at its own time.

The clips' frames say their own number, which is read off the video element's picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from analyses import media as facts_of
from clips import numbered, write_clip
from flask import Flask
from http_servers import served
from playwright.sync_api import Page
from sounds import write_recording

from detector.media.acceptance import InputLimits
from detector.media.open import open_media
from detector.recordings import recording_facts
from detector.sandbox import Limits
from detector.schema.analysis import Media, MediaKind
from webapp import create_app
from webapp.custody import custody_log
from webapp.exhibits.media import previews
from webapp.exhibits.media.playback import Playback
from webapp.exhibits.uploads import exhibits
from webapp.jobs import states
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, State

pytestmark = pytest.mark.browser

NTSC = Fraction(1001, 30000)
UNEVEN = [int(t) for t in np.cumsum([0] + [40 + int(30 * np.sin(n)) for n in range(29)])]
VP9 = {"deadline": "realtime", "cpu-used": "8"}
LATE = range(13, 43)

VBR = {"flags": "+qscale", "global_quality": "472"}  # quality 4 of LAME
_DURATION = """async (address) => {
    const sound = new Audio(address);
    await new Promise((done, fail) => {
        sound.onloadedmetadata = done;
        sound.onerror = () => fail(new Error(sound.error.message));
    });
    return sound.duration;
}"""

SEEK = """async ([address, times]) => {
    const video = document.createElement("video");
    video.muted = true;
    const canvas = document.createElement("canvas");
    const brush = canvas.getContext("2d", { willReadFrequently: true });
    const number = () => {
        [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
        brush.drawImage(video, 0, 0);
        let found = 0;
        for (let bit = 0; bit < 10; bit++) {
            const x = Math.round((bit + 0.5) * canvas.width / 10), y = Math.round(canvas.height / 4);
            if (brush.getImageData(x, y, 1, 1).data[0] > 128) found += 1 << bit;
        }
        return found;
    };
    const seen = [];
    let shown = null;
    const watch = (_now, frame) => {
        shown = [number(), frame.mediaTime];
        video.requestVideoFrameCallback(watch);
    };
    video.requestVideoFrameCallback(watch);
    video.src = address;
    document.body.append(video);
    await new Promise((done, fail) => {
        video.onloadeddata = done;
        video.onerror = () => fail(new Error(video.error.message));
    });
    // The first frame is told of later than it is there: that must not pass for the frame of the first seek.
    while (!shown) await new Promise((done) => setTimeout(done, 5));
    for (const time of times) {
        const there = new Promise((done) => { video.onseeked = done; });
        shown = null;
        video.currentTime = time;
        await there;
        while (!shown) await new Promise((done) => setTimeout(done, 5));
        seen.push(shown);
    }
    const size = [video.videoWidth, video.videoHeight];
    video.remove();
    return { seen, size };
}"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    data = tmp_path_factory.mktemp("media") / "data"
    app = create_app({"TESTING": True, "REELPROOF_DATA": data, "SEND": lambda _id: None})
    with served(app) as app.config["ADDRESS"]:
        yield app
    app.extensions["database"].close()


def hand_in(app: Flask, clip: Path) -> AnalysisRow:
    """A row that says its analysis is done; nothing here asks for the result."""
    with app.extensions["database"].begin() as session:
        folders = Folders.local(app.extensions["settings"].data)
        exhibit = exhibits.store_file(session, folders, clip, clip.name, spare=0)
        row = states.create_analysis(session, exhibit, clip.name)
        row.state = State.DONE
        details = {"verdict": None, "attempt": 1}
        custody_log.append(session, "analysis finished", details, exhibit=exhibit.sha256, analysis=row.id)
    return row


def prepared(app: Flask, clip: Path) -> tuple[AnalysisRow, Playback, list[Fraction]]:
    """The row of a clip, what plays of it, and the times of its frames as the engine counts them."""
    row = hand_in(app, clip)
    with open_media(clip) as reader:
        frames = [(pts, frame.width, frame.height) for frame, pts in reader.every_frame()]
        media: Media = facts_of(
            MediaKind.VIDEO,
            float(reader.duration),
            container=reader.container_format,
            width=frames[0][1],
            height=frames[0][2],
            frames_decoded=len(frames),
            frames_undecodable=reader.tally.undecodable,
            frame_rate=str(reader.frame_rate),
            sha256=row.exhibit.sha256,
        )
        times = [(pts - frames[0][0]) * reader.time_base for pts, _, _ in frames]
    folders = Folders.local(app.extensions["settings"].data)
    plays = previews.prepare_playback(
        folders, folders.data / row.exhibit.path, media, 0, lambda _share: None, Limits()
    )
    return row, plays, times


@pytest.mark.parametrize(
    ("name", "choices", "source", "offset"),
    [
        ("film rate.mp4", {"time_base": NTSC, "rate": 1 / NTSC}, "exhibit", 0.0),
        ("uneven.mp4", {"pts": UNEVEN, "time_base": Fraction(1, 1000)}, "exhibit", 0.0),
        ("picture after sound.mp4", {"pts": LATE, "sound": True}, "exhibit", 0.52),
        ("late.mov", {"pts": LATE}, "preview", 0.0),
        ("no edit list.mp4", {"container_options": {"use_editlist": "0"}}, "preview", 0.0),
        (
            "in parts.mp4",
            {"container_options": {"movflags": "frag_keyframe+empty_moov+delay_moov"}},
            "exhibit",
            0.0,
        ),
        ("late.webm", {"pts": LATE, "codec": "libvpx", "options": VP9}, "exhibit", 0.52),
        (
            "film rate.webm",
            {"time_base": NTSC, "rate": 1 / NTSC, "codec": "libvpx-vp9", "options": VP9},
            "exhibit",
            0.0,
        ),
        ("cut by an edit list.mp4", {"pts": range(-5, 25)}, "preview", 0.0),
        (
            "late and uneven.mkv",
            {"pts": [9000 + t for t in UNEVEN], "time_base": Fraction(1, 1000)},
            "preview",
            0,
        ),
        ("old.avi", {"codec": "mpeg4", "sound": True}, "preview", 0.0),
        (
            "overlapping.webm",
            {"pts": UNEVEN, "time_base": Fraction(1, 1000), "codec": "libvpx", "options": VP9},
            "preview",
            0.0,
        ),
    ],
)
def test_every_frame_is_found_at_its_time(app, page: Page, seen, tmp_path, name, choices, source, offset):
    clip = write_clip(tmp_path / name, [numbered(number) for number in range(30)], **choices)
    row, plays, times = prepared(app, clip)
    assert plays.source == source and plays.offset == pytest.approx(offset, abs=1e-3)
    page.goto(f"{app.config['ADDRESS']}/help")
    # Backwards, so that no frame is shown because it came next anyway.
    wanted = list(reversed(list(enumerate(times))))
    moments = [plays.offset + float(time) + 0.0005 for _, time in wanted]
    result = page.evaluate(SEEK, [f"/analyses/{row.id}/media", moments])
    first = 5 if name.startswith("cut") else 0
    assert [number for number, _ in result["seen"]] == [first + index for index, _ in wanted]
    for (_, time), (_, shown) in zip(wanted, result["seen"], strict=True):
        assert shown - plays.offset == pytest.approx(float(time), abs=1e-4)
    assert result["size"] == [plays.width, plays.height]
    assert seen.console == []


def test_a_photo_is_shown_upright_and_nothing_of_it_runs(app, page: Page, seen, tmp_path):
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), numbered(1))
    row = hand_in(app, path)
    folders = Folders.local(app.extensions["settings"].data)
    media = facts_of(
        MediaKind.IMAGE, 0.0, container="png_pipe", width=160, height=96, sha256=row.exhibit.sha256
    )
    previews.prepare_playback(
        folders, folders.data / row.exhibit.path, media, 0, lambda _share: None, Limits()
    )
    page.goto(f"{app.config['ADDRESS']}/help")
    size = page.evaluate(
        """async (address) => {
            const picture = new Image();
            picture.src = address;
            await picture.decode();
            return [picture.naturalWidth, picture.naturalHeight];
        }""",
        f"/analyses/{row.id}/media",
    )
    assert size == [160, 96] and seen.console == []
    answer = page.goto(f"{app.config['ADDRESS']}/analyses/{row.id}/media")
    assert answer is not None and answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert page.evaluate("window.origin") == "null"  # a page of no site: it reaches nothing of the app


@pytest.mark.parametrize(
    ("name", "choices", "source"),
    [("vbr.mp3", {"coding": VBR, "options": {"write_xing": "0"}}, "preview"), ("cbr.mp3", {}, "exhibit")],
)
def test_recordings_last_in_the_browser_as_long_as_they_were_examined(
    app, page: Page, seen, tmp_path, name, choices, source
):
    wave = np.concatenate([np.random.default_rng(2).uniform(-0.9, 0.9, 16_000), np.zeros(160_000)])
    recording = write_recording(tmp_path / name, wave.astype(np.float32), codec="libmp3lame", **choices)
    row = hand_in(app, recording)
    folders = Folders.local(app.extensions["settings"].data)
    media, _ = recording_facts(recording, name, InputLimits())
    plays = previews.prepare_playback(
        folders, folders.data / row.exhibit.path, media, 0, lambda _share: None, Limits()
    )
    page.goto(f"{app.config['ADDRESS']}/help")
    assert plays.source == source
    seconds = page.evaluate(_DURATION, f"/analyses/{row.id}/media")
    assert seconds == pytest.approx(media.duration, abs=0.2)
    assert seen.console == []
