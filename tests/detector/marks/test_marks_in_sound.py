"""Chatterbox's mark in sound, written by the encoder whose weights lie in ``resemble-perth``."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from perth_writer import at_rate, speech_like, write_mark, write_sound
from sounds import RATE as SOUND_RATE
from sounds import write_recording, write_stamped
from unmarked_sounds import mixed, tone

from detector.marks import perth, sound
from detector.marks.perth import RATE, PerthDecoder, weights_path
from detector.marks.search import declare_sound
from detector.marks.sound import LEAST_STRENGTH, confirmed_strength, search_sound
from detector.schema.causes.declarations import NoteCode


@pytest.fixture(scope="module")
def decoder() -> PerthDecoder:
    path = weights_path()
    assert path is not None, "resemble-perth is in requirements.txt"
    return PerthDecoder(path)


def test_a_mark_is_read(decoder: PerthDecoder) -> None:
    plain = speech_like(5)
    assert confirmed_strength(decoder, plain) < 0.5
    assert confirmed_strength(decoder, write_mark(plain)) >= LEAST_STRENGTH


@pytest.mark.parametrize("sound", [tone(300), mixed(speech_like(5), tone(425), -17)], ids=["alone", "speech"])
def test_tones_are_no_mark(decoder: PerthDecoder, sound: NDArray[np.float32]) -> None:
    assert decoder.strength(sound) >= LEAST_STRENGTH, "the network alone takes it for the mark"
    assert confirmed_strength(decoder, sound) < LEAST_STRENGTH


def test_a_mark_in_half_of_the_speech_is_none(decoder: PerthDecoder) -> None:
    plain = speech_like(4)
    half = np.concatenate((write_mark(plain[: 2 * RATE]), plain[2 * RATE :]))
    assert confirmed_strength(decoder, half) < LEAST_STRENGTH


def test_silence_carries_no_mark(decoder: PerthDecoder) -> None:
    assert decoder.strength(np.zeros(5 * RATE, np.float32)) < LEAST_STRENGTH


def test_stretches_that_carry_the_mark_are_named(tmp_path: Path) -> None:
    plain = speech_like(15, seed=3)
    marked = np.concatenate((plain[: 5 * RATE], write_mark(plain[5 * RATE : 10 * RATE]), plain[10 * RATE :]))
    path = write_sound(tmp_path / "speech.mp4", marked)
    result = search_sound(path)
    assert [(stretch.start, stretch.end) for stretch in result.heard] == [(5.0, 10.0)]
    assert result.seconds == pytest.approx(15, abs=0.3)
    assert result.note is None


def test_the_default_sound_is_searched(tmp_path: Path) -> None:
    plain, path = speech_like(5), tmp_path / "two.mka"
    with av.open(str(path), "w") as out:
        streams = [out.add_stream("pcm_s16le", rate=RATE, layout="mono") for _ in range(2)]
        streams[0].disposition = av.stream.Disposition(0)
        streams[1].disposition = av.stream.Disposition.default
        for stream, samples in zip(streams, (plain, write_mark(plain)), strict=True):
            frame = av.AudioFrame.from_ndarray((samples * 32767).astype(np.int16)[None], "s16", "mono")
            frame.sample_rate, frame.pts = RATE, 0
            out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
    assert search_sound(path).heard


@pytest.mark.parametrize("other", ["silence", "opposite", "another voice"])
def test_the_channel_that_carries_the_mark_is_named(tmp_path: Path, other: str) -> None:
    """One party's channel is marked; their mean would carry a weaker mark, or none in opposite phase."""
    marked = write_mark(speech_like(5))
    first = {"silence": 0 * marked, "opposite": -marked, "another voice": speech_like(5)[::-1].copy()}[other]
    path = tmp_path / "two.wav"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=RATE, layout="stereo")
        both = (np.stack([first, marked]).T * 32767).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(both), "s16", "stereo")
        frame.sample_rate, frame.pts = RATE, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    (declaration,) = declare_sound(search_sound(path))
    assert declaration.hidden is not None
    assert declaration.hidden.channels == (() if other == "opposite" else (2,))


def test_of_a_long_recording_a_part_is_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound, "MOST_SECONDS", 10.0)
    path = write_sound(tmp_path / "speech.mp4", speech_like(40))
    assert search_sound(path).seconds == 10


@pytest.mark.parametrize("stated", [None, 2**36 - 1])
def test_a_wrong_length_hides_no_mark(tmp_path: Path, stated: int | None) -> None:
    both = np.concatenate((speech_like(5), write_mark(speech_like(5))))
    path = write_recording(tmp_path / "a.flac", at_rate(both, SOUND_RATE), codec="flac")
    if stated is not None:  # STREAMINFO: the lower 36 of 64 bits
        data = bytearray(path.read_bytes())
        data[21:26] = bytes([data[21] | 0x0F]) + b"\xff" * 4
        path.write_bytes(data)
    assert [stretch.start for stretch in search_sound(path).heard] == [5.0]


def test_a_mark_has_the_time_of_the_clock(tmp_path: Path) -> None:
    """A gap is silence, and one of a year is closed up, as where voices are examined."""
    plain, marked = (at_rate(part, SOUND_RATE) for part in (speech_like(5), write_mark(speech_like(5))))
    path = write_stamped(tmp_path / "a.mka", [(0.0, plain), (60.0, marked), (3e7, plain)])
    result = search_sound(path)
    assert [stretch.start for stretch in result.heard] == [60.0]
    assert result.seconds == pytest.approx(70, abs=0.1)


def test_a_recording_that_breaks_off_is_searched(tmp_path: Path) -> None:
    """What was lost at the end is marked by a part without samples, of which FFmpeg makes no frame."""
    path = write_recording(tmp_path / "a.flac", codec="flac")
    path.write_bytes(path.read_bytes()[:-200])
    result = search_sound(path)
    assert result.note is None and result.seconds > 1.5


def test_without_the_package_the_result_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perth, "find_spec", lambda name: None)
    result = search_sound(tmp_path / "any.mp4")
    assert (result.seconds, result.heard) == (0.0, ())
    assert result.note == NoteCode.MARKS_NOT_INSTALLED.cause() and "reelproof[marks]" in result.note.text


def test_sound_that_cannot_be_decoded_is_said(tmp_path: Path) -> None:
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"nothing")
    assert search_sound(path).note == NoteCode.MARKS_NOT_DECODED.cause()


def test_weights_that_cannot_be_read_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_sound(tmp_path / "speech.mp4", speech_like(5))
    monkeypatch.setattr(sound, "weights_path", lambda: path)
    result = search_sound(path)
    assert (result.seconds, result.note) == (0.0, NoteCode.MARKS_NOT_DECODED.cause())
