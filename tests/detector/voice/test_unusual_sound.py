"""Sound of any count of channels and any rate: decoded where possible, and never at the cost of the faces."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from clips import numbered, write_clip
from made_speech import babble
from sounds import hum, write_film, write_recording, write_wave

from detector import Parameters, analyze, engine
from detector.errors import MediaError
from detector.marks import sound as marks
from detector.media.sound import Resampler, channels_of
from detector.schema.voice import VoiceVerdict
from detector.verdict.derived_verdict import verdict_contradictions
from detector.voice import examine
from detector.voice.samples import RATE, SoundReader


def in_one_channel(channels: int, number: int) -> np.ndarray:
    """A tone in one of many channels."""
    samples = np.zeros((channels, 2 * RATE), np.float32)
    samples[number] = hum(2.0)
    return samples


@pytest.mark.parametrize("channels", [3, 9, 16, 32, 63, 64, 65, 200])
def test_every_channel_is_heard(tmp_path: Path, channels: int) -> None:
    path = write_wave(tmp_path / "a.wav", in_one_channel(channels, channels - 1), 22_050)
    reader = SoundReader(path)
    samples = np.concatenate(list(reader.blocks()))
    assert reader.facts is not None and reader.facts.channels == channels and not reader.facts.undecodable
    assert len(samples) == pytest.approx(2 * RATE * RATE / 22_050, abs=32)
    assert np.abs(samples).max() == pytest.approx(0.3 / channels, rel=0.1)


@pytest.mark.parametrize("channels", [8, 12])
def test_planes_of_many_channels_are_read(channels: int) -> None:
    samples = np.arange(channels * 10, dtype=np.float32).reshape(channels, 10) / 1000
    layout = f"{channels} channels"
    packed = av.AudioFrame.from_ndarray(samples.T.reshape(1, -1).copy(), "flt", layout)
    packed.sample_rate = RATE
    (planar,) = av.AudioResampler("fltp", layout, RATE).resample(packed)
    assert np.array_equal(channels_of(planar), samples) and np.array_equal(channels_of(packed), samples)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_number_are_silence(value: float) -> None:
    frame = av.AudioFrame.from_ndarray(np.array([[0.5, value], [value, 2.0]], np.float32), "fltp", "stereo")
    assert channels_of(frame).tolist() == [[0.5, 0.0], [0.0, 2.0]]


@pytest.mark.parametrize("channels", [1, 65])
@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_pieces_of_any_length_are_resampled_to_the_same(channels: int, rate: int) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, (channels, rate + 7)).astype(np.float32)
    results, calls = [], []
    for resampler in (Resampler(RATE), Resampler(RATE, 0.25)):
        parts = [resampler.resample(samples[:, at : at + 1024], rate) for at in range(0, rate + 7, 1024)]
        calls.append(sum(map(bool, parts)))
        results.append(np.concatenate([*sum(parts, []), *resampler.drain()], axis=1))
    assert calls[1] <= 4 < calls[0]
    assert np.array_equal(*results)


@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_s16be", "pcm_s24le", "pcm_s32le", "pcm_f64le", "pcm_s64le"])
def test_every_kind_of_sample_has_the_same_scale(tmp_path: Path, codec: str) -> None:
    path = write_recording(tmp_path / ("a.caf" if "be" in codec else "a.wav"), codec=codec)
    samples = np.concatenate(list(SoundReader(path).blocks()))
    assert np.abs(samples).max() == pytest.approx(0.3, abs=0.01) and abs(samples.mean()) < 0.005


def film(path: Path, wave: Path) -> Path:
    """A video with this sound, as a recorder with many microphones writes it."""
    return write_film(path, write_clip(path.with_suffix(".mp4"), [numbered(n) for n in range(10)]), wave)


@pytest.mark.parametrize("channels", [9, 65])
def test_channels_of_a_video_are_read(tmp_path: Path, channels: int) -> None:
    path = film(tmp_path / "a.mov", write_wave(tmp_path / "a.wav", in_one_channel(channels, 1)))
    samples = np.concatenate(list(SoundReader(path).blocks()))
    assert np.abs(samples).max() == pytest.approx(0.3 / channels, rel=0.1)


def test_a_rate_that_is_not_read_costs_the_sound_alone(tmp_path: Path) -> None:
    analysis = analyze(film(tmp_path / "a.mkv", write_wave(tmp_path / "a.wav", hum(1.0)[None], 2**31 - 1)))
    assert analysis.coverage.frames_sampled and analysis.voice is not None
    assert analysis.voice.verdict is VoiceVerdict.INCONCLUSIVE and analysis.voice.stream is None
    assert "states 2,147,483,647 samples a second" in analysis.voice.reason


def of_unknown_codec(path: Path) -> Path:
    data = path.read_bytes()
    if path.suffix == ".mp4":
        path.write_bytes(data.replace(b"mp4a", b"ac-4").replace(b"esds", b"free"))
    else:
        at = data.index(b"strf", data.index(b"auds")) + 8
        path.write_bytes(data[:at] + b"\x48\x20" + data[at + 2 :])
    return path


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "Dolby AC-4"), ("a.avi", "Sonic")])
def test_a_codec_that_cannot_be_decoded_is_named(tmp_path: Path, name: str, codec: str) -> None:
    sound = write_recording(tmp_path / f"sound-{name}", codec="aac" if name == "a.mp4" else "pcm_s16le")
    clip = write_clip(tmp_path / f"clip-{name}", [numbered(n) for n in range(10)])
    film = of_unknown_codec(write_film(tmp_path / name, clip, sound))
    words = f"in the codec {codec}, which cannot be decoded here. Export it as WAV"
    analysis = analyze(film)
    assert analysis.coverage.frames_sampled and analysis.voice is not None
    assert [cause.code for cause in analysis.voice.causes] == ["voice_refused"]
    assert words in analysis.voice.reason
    with pytest.raises(MediaError, match=words):
        analyze(of_unknown_codec(sound))


def test_encrypted_sound_of_a_video_is_not_judged(tmp_path: Path) -> None:
    """FFmpeg would decode it to noise."""
    clip = write_clip(tmp_path / "clip.mp4", [numbered(n) for n in range(10)])
    path = write_film(tmp_path / "a.mp4", clip, write_recording(tmp_path / "a.m4a", codec="aac"))
    path.write_bytes(path.read_bytes().replace(b"mp4a", b"enca", 1))
    with pytest.raises(MediaError, match="encrypted.*Ask"):
        next(SoundReader(path).blocks())


@pytest.mark.parametrize("rate", [1, 1_999, 5_000_000])
def test_a_recording_at_such_a_rate_is_refused(tmp_path: Path, rate: int) -> None:
    with pytest.raises(MediaError, match=f"states {rate:,} samples a second; from 2,000"):
        analyze(write_wave(tmp_path / "a.wav", hum(1.0)[None], rate))


@pytest.mark.parametrize(
    ("problem", "code"), [(RuntimeError("x"), "voice_error"), (MemoryError(), "voice_out_of_memory")]
)
def test_faces_do_not_fail_for_the_voices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: Exception, code: str
) -> None:
    def fail(*_: object) -> None:
        raise problem

    clip = write_clip(tmp_path / "clip.mp4", [numbered(n) for n in range(10)], sound=1)
    monkeypatch.setattr(examine, "listen_to_channels", fail)
    monkeypatch.setattr(marks, "PerthDecoder", fail)
    monkeypatch.setattr(marks, "weights_path", lambda: clip)
    analysis = analyze(clip)
    assert analysis.coverage.frames_sampled and analysis.voice is not None
    assert [cause.code for cause in analysis.voice.causes] == [code]
    assert analysis.marks is not None and "could not be decoded" in (analysis.marks.note or "")


def broken_film(folder: Path, sound: bool = True) -> Path:
    """A video none of whose pictures can be decoded."""
    clip = write_clip(folder / "clip.mp4", [numbered(n) for n in range(10)])
    wave = write_wave(folder / "a.wav", babble(3.0)[None])
    path = write_film(folder / "film.mkv", clip, wave) if sound else clip
    with av.open(str(path)) as film:
        places = [(packet.pos, packet.size) for packet in film.demux(film.streams.video[0]) if packet.size]
    data = bytearray(path.read_bytes())
    for place, size in places:
        data[place + 16 : place + size] = b"\xff" * (size - 16)
    path.write_bytes(data)
    return path


def test_voices_do_not_fail_for_the_faces(tmp_path: Path) -> None:
    path = broken_film(tmp_path)
    analysis = analyze(path)
    assert [cause.code for cause in analysis.causes] == ["pictures_not_read"]
    assert "No frame could be decoded" in analysis.reason and analysis.media.sound_only
    assert analysis.voice is not None and analysis.voice.speech > 1.5
    with pytest.raises(MediaError, match="No frame"):
        analyze(path, parameters=Parameters(sound=False))
    with pytest.raises(MediaError, match="No frame"):
        analyze(broken_film(tmp_path, sound=False))


@pytest.mark.parametrize(
    ("problem", "code"), [(KeyError("x"), "faces_error"), (MemoryError(), "faces_out_of_memory")]
)
def test_voices_do_not_fail_for_an_error_of_the_faces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: Exception, code: str
) -> None:
    def fail(*_: object) -> None:
        (tmp_path / "overlays").mkdir(exist_ok=True)
        (tmp_path / "overlays" / "half.jpg").touch()
        fingerprint.touch()
        raise problem

    fingerprint = tmp_path / "fingerprint"
    clip = write_clip(tmp_path / "clip.mp4", [numbered(n) for n in range(10)])
    wave = write_wave(tmp_path / "a.wav", babble(3.0)[None])
    monkeypatch.setattr(engine, "refine_boundaries", fail)
    path = write_film(tmp_path / "film.mkv", clip, wave)
    analysis = analyze(path, images=tmp_path, fingerprint=fingerprint)
    assert [cause.code for cause in analysis.causes] == [code]
    assert analysis.voice is not None and analysis.voice.speech > 1.5
    assert not list(verdict_contradictions(analysis)) and not fingerprint.exists()
    assert not (tmp_path / "overlays" / "half.jpg").exists()
    with pytest.raises(type(problem)):
        analyze(clip)
    with pytest.raises(type(problem)):
        analyze(path, parameters=Parameters(sound=False))


@pytest.mark.parametrize("stage", ["finding and scoring faces", "listening to voices"])
def test_whoever_reports_progress_may_end_the_examination(tmp_path: Path, stage: str) -> None:
    class CancelledError(Exception):
        pass

    def cancel(reported: str, _share: float) -> None:
        if reported == stage:
            raise CancelledError

    with pytest.raises(CancelledError):
        analyze(film(tmp_path / "a.mkv", write_wave(tmp_path / "a.wav", hum(1.0)[None])), progress=cancel)
