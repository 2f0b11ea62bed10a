"""The sound of previews: any count of channels, any timing; pictures are shown without what is not read."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import write_clip
from preview_facts import SMALL, described, moments
from sounds import RATE, hum, write_film, write_recording, write_wave

from detector.errors import MediaError
from detector.media.acceptance import InputLimits
from detector.media.sound import SoundDecoder, stereo_weights
from detector.recordings import recording_facts
from webapp.exhibits.media.playback import Playback
from webapp.exhibits.media.preview_encoder import decide_playback, make_preview
from webapp.exhibits.media.preview_sound import SoundEncoder


def film_preview(folder: Path, wave: Path, name: str = "film.mov") -> Playback:
    """Decide what plays of a film with this sound; the preview is named so."""
    film = write_film(folder / name, write_clip(folder / "clip.mp4", SMALL), wave)
    return decide_playback(film, folder / "preview", described(film), 0, lambda _share: None)


def heard(path: Path) -> np.ndarray:
    """All samples of a preview, (channels, n)."""
    with av.open(str(path)) as container:
        parts = SoundDecoder(container, container.streams.audio[0]).parts()
        return np.concatenate([part.samples for part in parts], axis=1)


@pytest.mark.parametrize("channels", [9, 65])
def test_all_channels_are_heard_on_both_sides(tmp_path: Path, channels: int) -> None:
    samples = np.zeros((channels, RATE), np.float32)
    samples[channels - 1] = 3 * hum(1.0)
    film_preview(tmp_path, write_wave(tmp_path / "a.wav", samples))
    levels = np.abs(heard(tmp_path / "preview")).max(axis=1)
    assert levels == pytest.approx([0.9 / channels] * 2, rel=0.2)


def test_sides_stay(tmp_path: Path) -> None:
    path = write_wave(tmp_path / "a.wav", np.stack([hum(1.0), np.zeros(RATE, np.float32)]))
    media, _ = recording_facts(path, path.name, InputLimits())
    make_preview(path, tmp_path / "preview", media, 0, lambda _share: None)
    left, right = np.abs(heard(tmp_path / "preview")).max(axis=1)
    assert left == pytest.approx(0.3, rel=0.2) and right < 0.05


@pytest.mark.parametrize(
    ("layout", "left", "right"),
    [
        ("mono", [1], [1]),
        ("stereo", [1, 0], [0, 1]),
        ("2 channels", [1, 0], [0, 1]),
        ("5.1", [1, 0, 1, 0, 1, 0], [0, 1, 1, 0, 0, 1]),
        ("16 channels", [1] * 16, [1] * 16),
    ],
)
def test_channels_are_mixed_to_the_side_of_their_name(layout: str, left: list[int], right: list[int]) -> None:
    weights = stereo_weights(av.AudioLayout(layout))
    assert weights.tolist() == pytest.approx(np.array([left, right]) / [[sum(left)], [sum(right)]])


def test_a_rate_that_is_not_read_leaves_the_pictures(tmp_path: Path) -> None:
    decision = film_preview(
        tmp_path, write_wave(tmp_path / "a.wav", hum(1.0)[None], 2**31 - 1), name="film.mkv"
    )
    assert decision.source == "preview" and len(moments(tmp_path / "preview")) == len(SMALL)
    assert decision.reason.startswith("Shown is a preview, not the exhibit itself, because not every browser")
    assert "It has no sound. The sound states 2,147,483,647 samples a second" in decision.reason


def test_encrypted_sound_leaves_the_pictures(tmp_path: Path) -> None:
    """FFmpeg would decode it to noise."""
    sound = write_recording(tmp_path / "a.m4a", codec="aac")
    clip = write_clip(tmp_path / "clip.mp4", SMALL, codec="mpeg4")  # which browsers do not play
    film = write_film(tmp_path / "film.mov", clip, sound)
    film.write_bytes(film.read_bytes().replace(b"mp4a", b"enca", 1))
    decision = decide_playback(film, tmp_path / "preview", described(film), 0, lambda _share: None)
    assert decision.source == "preview" and "It has no sound. The sound is encrypted" in decision.reason
    with av.open(str(tmp_path / "preview")) as preview:
        assert len(preview.streams) == 1


def film_with_a_jump(folder: Path, seconds: float) -> Path:
    """Two seconds of pictures; the second half of a second of sound comes ``seconds`` later."""
    path = folder / "film.mkv"
    with (
        av.open(str(write_clip(folder / "clip.mp4", SMALL))) as clip,
        av.open(str(path), "w", options={"live": "1"}) as out,
    ):
        (source,) = clip.streams.video
        shown = out.add_stream_from_template(source)
        sound = out.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for packet in clip.demux(source):
            if packet.size:
                packet.stream = shown
                out.mux(packet)
        wave = (hum(1.0) * 32767).astype("<i2")
        for at in range(0, RATE, 1600):
            packet = av.Packet(wave[at : at + 1600].tobytes())
            packet.stream, packet.time_base, packet.duration = sound, Fraction(1, RATE), 1600
            packet.pts = packet.dts = at + (round(seconds * RATE) if at >= RATE // 2 else 0)
            out.mux(packet)
    return path


@pytest.mark.parametrize(("jump", "length"), [(5.0, 6.0), (31_536_000.0, 1.0)])
def test_a_gap_is_bounded_as_in_the_examination(tmp_path: Path, jump: float, length: float) -> None:
    film = film_with_a_jump(tmp_path, jump)
    decision = decide_playback(film, tmp_path / "preview", described(film), 0, lambda _share: None)
    assert decision.source == "preview" and heard(tmp_path / "preview").shape[1] / 48_000 == pytest.approx(
        length, abs=0.1
    )


def test_the_disk_is_looked_at_while_a_gap_is_filled(tmp_path: Path) -> None:
    path = film_with_a_jump(tmp_path, 500.0)
    looks = 0

    def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            raise MediaError("full")

    with av.open(str(path)) as source, av.open(str(tmp_path / "out.mp4"), "w") as target:
        sound = SoundEncoder(source, target, Fraction(0), 1.2, look)
        with pytest.raises(MediaError, match="full"):
            sound.until(None)
        target.mux(target.streams[0].encode(None))


def test_both_parts_of_a_joined_recording_are_played(tmp_path: Path) -> None:
    parts = [write_recording(tmp_path / f"{n}.opus", codec="libopus", rate=48_000) for n in (2, 3)]
    path = tmp_path / "joined.opus"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    media, _ = recording_facts(path, path.name, InputLimits())
    make_preview(path, tmp_path / "preview", media, 0, lambda _share: None)
    assert heard(tmp_path / "preview").shape[1] / 48_000 == pytest.approx(4.0, abs=0.1)
