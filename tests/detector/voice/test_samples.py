"""Sound of any rate, layout and timing becomes 16 kHz mono on one clock."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from sounds import hum, write_recording

from detector.voice.samples import BLOCK, RATE, SoundReader, read_spans


def all_samples(path: Path) -> tuple[SoundReader, np.ndarray]:
    reader = SoundReader(path)
    return reader, np.concatenate([*reader.blocks(), np.zeros(0, np.float32)])


@pytest.mark.parametrize(
    ("codec", "rate", "layout", "name"),
    [
        ("pcm_s16le", 8_000, "mono", "a.wav"),
        ("pcm_s16le", 192_000, "stereo", "a.wav"),
        ("pcm_s16le", 48_000, "5.1", "a.wav"),
        ("aac", 44_100, "stereo", "a.m4a"),
        ("libopus", 48_000, "mono", "a.ogg"),
    ],
)
def test_rates_and_layouts(tmp_path: Path, codec: str, rate: int, layout: str, name: str) -> None:
    path = write_recording(tmp_path / name, hum(3.0), codec=codec, rate=rate, layout=layout)
    reader, samples = all_samples(path)
    assert reader.facts is not None and reader.facts.rate == rate
    assert abs(len(samples) - 3 * RATE) < 0.1 * RATE
    spectrum = np.abs(np.fft.rfft(samples[RATE : 2 * RATE]))
    assert abs(int(spectrum.argmax()) - 220) <= 3  # the carrier, or a side band 3 Hz from it


def test_blocks_have_one_length(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.wav", hum(9.5))
    lengths = [len(block) for block in SoundReader(path).blocks()]
    assert lengths[:-1] == [BLOCK, BLOCK] and sum(lengths) == pytest.approx(9.5 * RATE, abs=1024)


def test_gaps_are_filled_with_silence_and_noted(tmp_path: Path) -> None:
    path = tmp_path / "gap.mka"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for start in (0.0, 5.0):
            frame = av.AudioFrame.from_ndarray((hum(2.0) * 32767).astype(np.int16)[None], "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, int(start * RATE), Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    reader, samples = all_samples(path)
    assert reader.facts is not None
    assert len(samples) == pytest.approx(7 * RATE, abs=RATE / 20)
    assert not samples[int(2.2 * RATE) : int(4.8 * RATE)].any() and samples[int(5.5 * RATE) :].any()
    ((start, end),) = reader.facts.missing
    assert (start, end) == pytest.approx((2.0, 5.0), abs=0.05)


def test_what_lies_behind_damage_is_read(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.mp3", hum(20.0), codec="libmp3lame")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    path.write_bytes(data)
    reader, samples = all_samples(path)
    assert len(samples) > 15 * RATE
    assert np.abs(samples[-RATE:]).max() > 0.1


def test_a_file_without_sound_gives_none(sample: Path) -> None:
    reader, samples = all_samples(sample)
    assert reader.facts is None and not len(samples)


def test_spans_are_those_of_the_whole(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.wav", hum(9.0))
    _, samples = all_samples(path)
    first, across, late = read_spans(path, [(-0.25, 1.0), (3.5, 4.5), (8.5, 12.0)])
    assert np.array_equal(first, samples[:RATE])
    assert np.array_equal(across, samples[int(3.5 * RATE) : int(4.5 * RATE)])
    assert np.array_equal(late, samples[int(8.5 * RATE) :])
