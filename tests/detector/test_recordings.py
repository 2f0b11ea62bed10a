"""Recordings of sound without picture: accepted by content, analysed, and refused in a clear sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import cornered, write_sound
from sounds import KINDS, hum, of_kind, write_recording

from detector import recordings
from detector.engine import analyze
from detector.errors import MediaError, SoundOnlyError
from detector.marks.sound import SoundSearch
from detector.media.acceptance import HEAD_BYTES, InputLimits, container_of
from detector.media.open import open_media
from detector.progress import ReportShare
from detector.recordings import recording_facts
from detector.schema.analysis import MediaKind, Verdict
from detector.schema.metadata import Anomaly


@pytest.mark.parametrize("name", [name for name, *_ in KINDS])
def test_every_kind_is_accepted_by_its_content(tmp_path: Path, name: str) -> None:
    path = of_kind(tmp_path, name).rename(tmp_path / "of no ending")
    with pytest.raises(SoundOnlyError, match="sound but no picture"), open_media(path):
        pass
    media, _ = recording_facts(path, name, InputLimits())
    assert media.kind is MediaKind.AUDIO and media.sound_only and media.has_sound
    assert (media.width, media.height, media.frames) == (0, 0, 0)
    assert media.duration == pytest.approx(2.0, abs=0.25)
    assert media.details is not None
    (stream,) = media.details.streams
    assert stream.examined and stream.channels == 1
    container = container_of(path.read_bytes()[:HEAD_BYTES])
    assert container is not None and media.container in container.demuxers


def test_a_recording_has_no_verdict_on_faces(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "voice.wav")
    analysis = analyze(path)
    assert analysis.verdict is Verdict.INCONCLUSIVE and analysis.probability is None
    assert "without picture" in analysis.reason
    assert (analysis.persons, analysis.segments) == ((), ())
    assert [cause.code for cause in analysis.causes] == ["no_picture"]
    assert analysis.media.details is not None
    assert [stream.examined for stream in analysis.media.details.streams] == [True]
    assert type(analysis).from_json(analysis.to_json()) == analysis


def test_progress_goes_on_while_marks_are_searched_and_voices_are_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def searched(_path: Path, progress: ReportShare, _bounds: InputLimits | None) -> SoundSearch:
        progress(0.5)
        return SoundSearch(0.0, (), None)

    monkeypatch.setattr(recordings, "search_sound", searched)
    reported: list[tuple[str, float]] = []
    analyze(
        write_recording(tmp_path / "voice.wav", hum(9.0)),
        progress=lambda stage, share: reported.append((stage, share)),
    )
    assert ("reading", 0.1) in reported
    heard = [share for stage, share in reported if stage == "listening to voices"]
    assert 0.2 < heard[0] < 0.6 and heard[-1] <= 1.0


def test_cover_art_is_no_picture(tmp_path: Path) -> None:
    media, _ = recording_facts(write_sound(tmp_path / "song.mp4", cornered()), "song.mp4", InputLimits())
    assert media.kind is MediaKind.AUDIO and media.details is not None
    assert [stream.kind for stream in media.details.streams] == ["audio", "video"]


@pytest.mark.parametrize("name", ["voice.wav", "voice.ogg", "voice.amr"])
def test_a_header_without_sound_is_refused(tmp_path: Path, name: str) -> None:
    kept = {"voice.wav": 44, "voice.ogg": 90, "voice.amr": 6}[name]
    codec, rate = {"voice.wav": ("pcm_s16le", 16_000), "voice.ogg": ("libopus", 48_000)}.get(
        name, ("libopencore_amrnb", 8_000)
    )
    path = write_recording(tmp_path / name, codec=codec, rate=rate)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(MediaError, match="none of it can be read|cannot be read"):
        analyze(path)


def test_noise_with_the_name_of_a_recording_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "noise.mp3"
    path.write_bytes(np.random.default_rng(3).bytes(9000))
    with pytest.raises(MediaError, match="not a video, photo or sound recording"):
        analyze(path)


def test_a_recording_that_is_too_long_is_refused(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "long.wav")
    with pytest.raises(MediaError, match="The recording lasts 2 seconds"):
        analyze(path, bounds=InputLimits(seconds=1.0))


@pytest.mark.parametrize(
    "head", [b"\xff\xfe<\0h\0t\0m\0l\0", b"\xff\xfb", b"ID3", b"\xff\xf1\x00\x00"], ids=repr
)
def test_what_only_resembles_sound_is_not_accepted(head: bytes) -> None:
    container = container_of(head + b"plain words, and no sound" * 40)
    assert container is None


def test_a_recording_that_breaks_off_lasts_less_than_it_states(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "voice.mp3", hum(8.0), codec="libmp3lame")
    whole, _ = recording_facts(path, path.name, InputLimits())
    assert "durations disagree" not in {anomaly.kind for anomaly in whole.anomalies}
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    half, _ = recording_facts(path, path.name, InputLimits())
    assert half.duration < 5
    assert "durations disagree" in {anomaly.kind for anomaly in half.anomalies}


VBR = {"flags": "+qscale", "global_quality": "472"}  # quality 4 of LAME
# A loud beginning, from whose bit rate FFmpeg estimates a wrong length.
UNEVEN = np.concatenate([np.random.default_rng(2).uniform(-0.9, 0.9, 16_000), np.zeros(10 * 16_000)])


@pytest.mark.parametrize(
    ("name", "codec", "choices"),
    [
        ("a.mp3", "libmp3lame", {"options": {"write_xing": "0", "id3v2_version": "0"}, "coding": VBR}),
        ("a.aac", "aac", {"container": "adts"}),
        ("a.avi", "libmp3lame", {"container": "avi", "coding": VBR, "seekable": False}),
        ("a.mka", "libmp3lame", {"container": "matroska", "coding": VBR, "seekable": False}),
        ("a.mka", "pcm_s16le", {"container": "matroska", "seekable": False}),
        ("a.wav", "libmp3lame", {"container": "wav", "coding": VBR, "seekable": False}),
        ("a.wav", "pcm_s16le", {"container": "wav", "seekable": False}),
    ],
)
def test_a_length_that_nobody_stated_is_not_compared(
    tmp_path: Path, name: str, codec: str, choices: dict[str, object]
) -> None:
    path = write_recording(tmp_path / name, UNEVEN.astype(np.float32), codec=codec, **choices)  # type: ignore[arg-type]
    media, _ = recording_facts(path, name, InputLimits())
    assert media.details is not None and media.details.streams[0].duration is None
    assert "durations disagree" not in {anomaly.kind for anomaly in media.anomalies}
    assert media.duration == pytest.approx(11.0, abs=0.2)


@pytest.mark.parametrize(
    ("name", "codec", "container"),
    [("a.mp3", "libmp3lame", None), ("a.mka", "aac", "matroska"), ("a.wav", "pcm_mulaw", None)],
)
def test_a_stated_length_is_compared(tmp_path: Path, name: str, codec: str, container: str | None) -> None:
    path = write_recording(tmp_path / name, hum(8.0), codec=codec, container=container)
    media, _ = recording_facts(path, name, InputLimits())
    assert media.details is not None
    assert media.details.streams[0].duration == pytest.approx(8.0, abs=0.2)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "missing" in _durations_disagree(path).concern


def _durations_disagree(path: Path) -> Anomaly:
    anomalies = recording_facts(path, path.name, InputLimits())[0].anomalies
    (found,) = (anomaly for anomaly in anomalies if anomaly.kind == "durations disagree")
    return found


def test_a_joined_mp3_lasts_longer_than_its_first_header_states(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.mp3", hum(4.0), codec="libmp3lame")
    path.write_bytes(2 * path.read_bytes())
    anomaly = _durations_disagree(path)
    assert "00:00:08" in anomaly.observation and "00:00:04" in anomaly.observation
    assert "joined" in anomaly.concern


@pytest.mark.parametrize("protection", [b"enca", b"drms", b"aavd"])
def test_encrypted_sound_is_refused(tmp_path: Path, protection: bytes) -> None:
    """FFmpeg would decode what is encrypted, to noise."""
    path = write_recording(tmp_path / "a.m4a", codec="aac")
    path.write_bytes(path.read_bytes().replace(b"mp4a", protection, 1))
    with pytest.raises(MediaError, match="encrypted.*Ask"):
        recording_facts(path, path.name, InputLimits())
