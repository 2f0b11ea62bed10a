"""Playback in browsers: exhibits played as they are, and previews."""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import PIL.Image
import pytest
from analyses import media as facts_of
from clips import HEIGHT, UPRIGHT, cornered, corners, number_of, write_clip, write_erased
from media_files import boxed_photo
from PIL import ImageCms
from preview_facts import SMALL, described, moments
from sounds import hum, write_recording

from detector.media.acceptance import InputLimits
from detector.media.open import open_media
from detector.recordings import recording_facts
from webapp.exhibits.media.playback import Playback
from webapp.exhibits.media.preview_encoder import decide_playback

VP9 = {"deadline": "realtime", "cpu-used": "8"}


def decided(path: Path, to: Path | None = None, **changes: object) -> Playback:
    media = described(path).model_copy(update=changes)
    return decide_playback(path, to or path.with_name("preview"), media, 0, lambda _share: None)


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
def test_unsupported_photos_get_a_jpeg_preview(tmp_path, name):
    decision = decided(boxed_photo(tmp_path / name, cornered()), tmp_path / "preview")
    assert (decision.source, decision.mimetype) == ("preview", "image/jpeg")
    with PIL.Image.open(tmp_path / "preview") as picture:
        assert picture.format == "JPEG" and corners(np.asarray(picture)) == UPRIGHT


def exif(kind: int = 3, count: int = 1, turn: int = 6) -> bytes:
    """An EXIF block with an orientation of this type."""
    value = struct.pack("<I", turn) if kind == 4 else struct.pack("<HH", turn, 0)
    return b"II*\0" + struct.pack("<IHHHI", 8, 1, 0x0112, kind, count) + value + bytes(4)


def jpeg_with(picture: PIL.Image.Image, *segments: bytes) -> bytes:
    made = io.BytesIO()
    picture.save(made, "JPEG", quality=95)
    app1 = (b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment for segment in segments)
    return made.getvalue()[:2] + b"".join(app1) + made.getvalue()[2:]


@pytest.mark.parametrize(
    ("name", "blocks", "by_browsers"),
    [
        ("plain.jpg", [], True),
        ("usual.jpg", [b"Exif\0\0" + exif()], True),
        ("upright.jpg", [b"Exif\0\0" + exif(turn=1)], True),
        ("nonsense.jpg", [b"Exif\0\0" + exif(turn=99)], True),
        ("long.jpg", [b"Exif\0\0" + exif(kind=4)], False),
        ("two.jpg", [b"Exif\0\0" + exif(count=2)], False),
        ("blocks.jpg", [b"Exif\0\0" + exif(), b"Exif\0\0" + exif(turn=1)], False),
        ("filled.jpg", [b"Exif\0\xff" + exif()], False),
        ("a.webp", [exif()], False),
        ("a.png", [exif()], False),
        ("plain.webp", [], True),
        ("plain.png", [], True),
    ],
)
def test_photos_with_ambiguous_orientation_get_an_upright_jpeg(tmp_path, name, blocks, by_browsers):
    """Otherwise boxes would be beside the faces: Chromium, for example, ignores the EXIF of WebP."""
    picture, path = PIL.Image.fromarray(np.rot90(cornered())), tmp_path / name
    if name.endswith("jpg"):
        path.write_bytes(jpeg_with(picture, *blocks))
    else:
        picture.save(path, lossless=True, **({"exif": blocks[0]} if blocks else {}))
    with open_media(path) as reader:
        (frame,) = reader.frames(8)
    decision = decided(path, tmp_path / "preview", width=frame.image.shape[1], height=frame.image.shape[0])
    assert decision.source == ("exhibit" if by_browsers else "preview")
    if not by_browsers:
        assert "not every browser turns it as its EXIF says" in decision.reason
        with PIL.Image.open(tmp_path / "preview") as shown:
            assert corners(np.asarray(shown)) == corners(frame.image)
            assert (decision.width, decision.height) == shown.size == frame.image.shape[1::-1]


def test_photos_with_unusual_colours_get_a_jpeg(tmp_path):
    path = tmp_path / "a.png"
    PIL.Image.fromarray(cornered()).save(path, icc_profile=bytes(range(256)))
    decision = decided(path, tmp_path / "preview")
    assert "not every browser shows its colours as they were examined" in decision.reason
    usual = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    PIL.Image.fromarray(cornered()).save(path, icc_profile=usual)
    assert decided(path).source == "exhibit"


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
def test_supported_videos_are_played_unchanged(tmp_path, name, choices, mimetype):
    clip = write_clip(tmp_path / name, SMALL, **choices)
    decision = decided(clip)
    assert (decision.source, decision.mimetype, decision.reason) == ("exhibit", mimetype, "")
    assert (decision.width, decision.height) == (160, 96)
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
def test_unsupported_videos_get_a_preview_with_a_reason(tmp_path, name, choices, changes, reason):
    clip = write_clip(tmp_path / name, SMALL, **choices)
    decision = decided(clip, **changes)
    assert (decision.source, decision.mimetype, decision.offset) == ("preview", "video/mp4", 0.0)
    assert reason in decision.reason and decision.reason.startswith("Shown is a preview")
    assert moments(tmp_path / "preview") == moments(clip)
    assert numbers(tmp_path / "preview") == numbers(clip)


def test_pixels_that_are_not_square_and_key_frames_far_apart(tmp_path):
    assert "not square" in decided(shaped(tmp_path / "wide.mp4", shape=Fraction(4, 3))).reason
    rare = {"crf": "30", "g": "9999", "preset": "ultrafast"}
    clip = write_clip(tmp_path / "rare.mp4", (SMALL[i % 30] for i in range(700)), options=rare)
    assert "key frames are too far apart" in decided(clip).reason


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "seen"),
    [
        ("deep.mov", "prores_ks", "yuva444p10le", 0),
        ("plain.mov", "qtrle", "argb", 0),
        ("a.gif", "gif", "", 255),
        ("eight.webm", "libvpx", "yuva420p", 120),
        ("nine.webm", "libvpx-vp9", "yuva420p", 120),
    ],
)
def test_transparency_is_shown_as_analysed(tmp_path, name, codec, pix_fmt, seen):
    clip = write_erased(tmp_path / name, codec, pix_fmt)
    decision = decided(clip, tmp_path / "preview")
    assert decision.source == "preview"
    assert ("it declares transparency" in decision.reason) == name.endswith(".webm")
    assert numbers(tmp_path / "preview") == numbers(clip) == list(range(8))
    for path in (clip, tmp_path / "preview"):
        with open_media(path) as reader:
            for frame in reader.frames(1000):
                assert np.abs(frame.image[HEIGHT // 2 + 8 :].astype(int) - seen).max() < 12


def test_unsupported_sound(tmp_path):
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
def test_the_offset_is_the_time_of_the_first_frame(tmp_path, first):
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
        sound=4,
    )
    made = tmp_path / "made"
    assert decided(clip, made).offset == 0.0
    assert [float(t) for t in moments(made)] == [(p - 1700) / 1000 for p in pts]
    with av.open(str(made)) as container:
        stream = container.streams.video[0]
        sound = container.streams.audio[0]
        assert stream.start_time == sound.start_time == 0 and sound.codec_context.name == "aac"
        assert float(sound.duration * sound.time_base) == pytest.approx(4 - 1.7, abs=0.15)
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
def test_previews_have_even_limited_sizes(tmp_path, size, expected):
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    clip = write_clip(tmp_path / "clip.avi", [picture] * 3, codec="mjpeg", pix_fmt="yuvj444p")
    decision = decided(clip, tmp_path / "made")
    assert (decision.width, decision.height) == expected
    with av.open(str(tmp_path / "made")) as container:
        context = container.streams.video[0].codec_context
        assert (context.width, context.height) == expected


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_previews_are_upright(tmp_path, rotation):
    clip = shaped(tmp_path / "clip.mp4", rotation=rotation, codec="mpeg4")
    with open_media(clip) as reader:
        wanted = corners(next(iter(reader.frames(1))).image)
    assert wanted != UPRIGHT
    decision = decided(clip, tmp_path / "made")
    assert (decision.width, decision.height) == ((128, 96) if rotation == 180 else (96, 128))
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
        original, other = (next(iter(reader.frames(1))).image for reader in (before, after))
    for column in (40, 120):
        assert np.abs(original[height // 2, column].astype(int) - other[height // 2, column]).max() <= 12
    with av.open(str(tmp_path / "made")) as container:
        context = container.streams.video[0].codec_context
        assert context.color_range == 1 and context.colorspace != 2


@pytest.mark.parametrize(
    ("suffix", "mimetype"), [("jpg", "image/jpeg"), ("png", "image/png"), ("webp", "image/webp")]
)
def test_supported_photos_are_shown_unchanged(tmp_path, suffix, mimetype):
    path = tmp_path / f"photo.{suffix}"
    PIL.Image.fromarray(cornered()).save(path)
    decision = decided(path)
    assert (decision.source, decision.mimetype, decision.offset) == ("exhibit", mimetype, 0.0)


def test_unreadable_exhibits_have_no_preview(tmp_path):
    path = tmp_path / "notes.mp4"
    path.write_text("no video")
    media = facts_of("video", 1.0)
    decision = decide_playback(path, tmp_path / "made", media, 0, lambda _share: None)
    assert decision.source == "none" and decision.reason.startswith("There is no preview of the exhibit.")


def test_a_full_disk_gets_no_preview(tmp_path):
    clip = write_clip(tmp_path / "clip.mkv", SMALL)
    decision = decide_playback(clip, tmp_path / "made", described(clip), 1 << 60, lambda _share: None)
    assert decision.source == "none" and "disk is too full" in decision.reason


VBR = {"flags": "+qscale", "global_quality": "472"}  # quality 4 of LAME


def with_a_swell(seconds: float) -> np.ndarray:
    """A tone that begins with noise, so that bit rates change."""
    wave = hum(seconds)
    wave[:16_000] += np.random.default_rng(1).uniform(-0.4, 0.4, 16_000).astype(np.float32)
    return wave


def heard(path: Path) -> Playback:
    """What plays of a recording; a preview is written beside it."""
    media, _ = recording_facts(path, path.name, InputLimits())
    return decide_playback(path, path.with_name("preview"), media, 0, lambda _share: None)


@pytest.mark.parametrize(
    ("name", "codec", "choices", "mimetype"),
    [
        ("a.mp3", "libmp3lame", {}, "audio/mpeg"),
        ("a.mp3", "libmp3lame", {"options": {"write_xing": "0"}}, "audio/mpeg"),
        ("a.m4a", "aac", {}, "audio/mp4"),
        ("a.ogg", "libopus", {"rate": 48_000}, "audio/ogg"),
        ("a.weba", "libopus", {"rate": 48_000, "container": "webm"}, "audio/webm"),
        ("a.flac", "flac", {}, "audio/flac"),
        ("a.wav", "pcm_s16le", {}, "audio/wav"),
    ],
)
def test_recordings_with_a_plain_clock_are_played_unchanged(tmp_path, name, codec, choices, mimetype):
    path = write_recording(tmp_path / name, with_a_swell(4.0), codec=codec, **choices)
    decision = heard(path)
    assert (decision.source, decision.mimetype) == ("exhibit", mimetype), decision.reason


@pytest.mark.parametrize(
    ("name", "codec", "choices", "copies", "reason"),
    [
        ("a.mp3", "libmp3lame", {"coding": VBR}, 1, "its bit rate changes"),
        ("a.mp3", "libmp3lame", {"coding": VBR, "options": {"write_xing": "0"}}, 1, "a wrong length"),
        ("a.mp3", "libmp3lame", {}, 2, "bit rate changes"),
        ("a.ogg", "libopus", {"rate": 48_000}, 2, "a wrong length"),
        ("a.flac", "flac", {}, 2, "a wrong length"),
        ("a.flac", "flac", {"container": "flac", "seekable": False}, 1, "does not say how long"),
        ("a.weba", "libopus", {"rate": 48_000, "container": "webm", "seekable": False}, 1, "how long"),
        ("a.aac", "aac", {"container": "adts"}, 1, "not every browser plays"),
    ],
)
def test_recordings_of_which_browsers_compute_other_times_get_a_preview(
    tmp_path, name, codec, choices, copies, reason
):
    path = write_recording(tmp_path / name, with_a_swell(4.0), codec=codec, **choices)
    path.write_bytes(copies * path.read_bytes())
    decision = heard(path)
    assert (decision.source, decision.mimetype) == ("preview", "audio/mp4"), decision.reason
    assert reason in decision.reason
    with av.open(str(tmp_path / "preview")) as preview:
        assert preview.duration / av.time_base == pytest.approx(4.0 * copies, abs=0.3)


def test_a_recording_with_a_gap_in_its_clock_gets_a_preview(tmp_path):
    path = write_recording(tmp_path / "a.ogg", hum(6.0), codec="libopus", rate=48_000)
    pages = path.read_bytes().split(b"OggS")
    del pages[5]  # a second of sound
    path.write_bytes(b"OggS".join(pages))
    decision = heard(path)
    assert decision.source == "preview" and "its clock" in decision.reason


def test_an_mp3_with_other_data_between_its_frames_gets_a_preview(tmp_path):
    path = write_recording(tmp_path / "a.mp3", hum(6.0), codec="libmp3lame", options={"write_xing": "0"})
    data, lyrics = path.read_bytes(), b"\0" * 417
    path.write_bytes(data[:10_000] + lyrics + data[10_000:])
    decision = heard(path)
    assert decision.source == "preview", decision


ID3 = b"ID3\x04\0\0\0\0\x08\0" + bytes(1024)


@pytest.mark.parametrize(
    ("name", "codec", "before", "source"),
    [
        ("a.flac", "flac", ID3, "preview"),
        ("a.mp3", "libmp3lame", bytes(3000), "preview"),
        ("a.mp3", "libmp3lame", ID3, "exhibit"),
        ("rf64.wav", "pcm_s16le", b"", "preview"),
    ],
)
def test_recordings_that_begin_with_something_else(tmp_path, name, codec, before, source):
    options = {"rf64": "always"} if name.startswith("rf64") else {"write_xing": "0", "id3v2_version": "0"}
    path = write_recording(tmp_path / name, hum(4.0), codec=codec, options=options)
    path.write_bytes(before + path.read_bytes())
    decision = heard(path)
    assert decision.source == source, decision
    assert ("how it begins" in decision.reason) is (source == "preview")
