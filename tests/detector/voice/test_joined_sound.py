"""Sound whose clock jumps, goes back or repeats: everything is heard once, in its place."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest
from clips import numbered, write_clip
from sounds import KINDS, RATE, hum, write_film, write_recording, write_stamped

from detector.media.acceptance import InputLimits
from detector.media.sound import SoundDecoder
from detector.media.sound_clock import SoundClock, picture_joints
from detector.recordings import recording_facts
from detector.schema.analysis import Media
from detector.voice.samples import SoundFacts, SoundReader


class Part(NamedTuple):
    time: Fraction | None
    seconds: Fraction


def placed(times: list[float | None], seconds: float = 1.0, joints: tuple[float, ...] = ()) -> list[float]:
    """Return where stretches with these times are placed."""
    clock = SoundClock(lambda: [Fraction(joint) for joint in joints])
    parts = [Part(None if time is None else Fraction(time), Fraction(seconds)) for time in times]
    return [float(clock.end - part.seconds) for _, part in clock.on_clock(parts)]


@pytest.mark.parametrize(
    ("times", "places"),
    [
        ([5, 6, 7], [0, 1, 2]),
        ([0, 1, 4, 5], [0, 1, 4, 5]),  # a gap
        ([0, 1, 2, 0, 1, 5], [0, 1, 2, 3, 4, 8]),  # joined; the second part has a gap
        ([0, 1, 2, 0, 1, 0, 1], [0, 1, 2, 3, 4, 5, 6]),
        ([0, 1, 700, 701], [0, 1, 2, 3]),  # more than ten minutes
        ([0, 1, 31_536_000, 31_536_001, 2, 3], [0, 1, 2, 3, 4, 5]),  # a year, and back
        ([0, 1, 90, 3, 4], [0, 1, 2, 3, 4]),  # single wrong times
        ([0, 1, -50, 3, 4], [0, 1, 2, 3, 4]),
        ([None, 1, None, 3], [0, 1, 2, 3]),
        ([0, 0.9, 1.8, 2.7], [0, 1, 2, 3]),  # overlaps
    ],
)
def test_stretches_are_placed_one_after_the_other(times: list[float | None], places: list[float]) -> None:
    assert placed(times) == places


def test_silence_does_not_grow_without_bound() -> None:
    assert placed([600 * number for number in range(200)])[-1] == pytest.approx(6 * 3600 + 200, abs=1200)


def test_sound_stays_with_the_pictures_behind_a_joint() -> None:
    assert placed([0, 1, 0, 1], joints=(5.0,)) == [0, 1, 5, 6]


def heard(path: Path) -> tuple[SoundFacts, np.ndarray]:
    reader = SoundReader(path)
    samples = np.concatenate(list(reader.blocks()))
    assert reader.facts is not None
    return reader.facts, samples


def high(seconds: float) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def pitch(samples: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(samples)).argmax() * RATE / len(samples))


# Containers whose header says where the sound ends, so that FFmpeg stops there.
ENDING = tuple(kind for kind in KINDS if kind[0] in ("a.m4a", "a.wv", "a.tta", "a.voc"))
JOINED = (
    *(kind for kind in KINDS if kind not in ENDING),
    ("a.ts", "aac", 16_000, None),
    ("a.mpg", "mp2", 48_000, None),
    ("f.ogg", "flac", 16_000, None),
)


@pytest.mark.parametrize(("name", "codec", "rate", "container"), JOINED)
def test_both_parts_of_joined_recordings_are_heard(
    tmp_path: Path, name: str, codec: str, rate: int, container: str | None
) -> None:
    parts = [
        write_recording(tmp_path / f"{number}{name}", wave, codec=codec, rate=rate, container=container)
        for number, wave in enumerate((hum(2.0), high(3.0)))
    ]
    path = tmp_path / name
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    facts, samples = heard(path)
    assert facts.seconds == pytest.approx(5.0, abs=0.25) and not facts.repeated
    assert pitch(samples[: RATE // 2]) == pytest.approx(220, abs=8)
    assert pitch(samples[-2 * RATE : -RATE]) == pytest.approx(440, abs=4)
    media: Media = recording_facts(path, name, InputLimits())[0]
    assert media.duration == pytest.approx(facts.seconds, abs=0.3)


@pytest.mark.parametrize(("name", "codec", "rate", "container"), [*ENDING, ("a.flv", "aac", 44_100, None)])
def test_a_second_part_that_is_not_read_is_counted(
    tmp_path: Path, name: str, codec: str, rate: int, container: str | None
) -> None:
    path = write_recording(tmp_path / name, codec=codec, rate=rate, container=container)
    assert not heard(path)[0].unread
    own = path.read_bytes()
    path.write_bytes(own + own)
    assert heard(path)[0].unread == pytest.approx(len(own), rel=0.05)


def test_sound_of_joined_videos_stays_with_the_pictures(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [numbered(n % 16) for n in range(50)])
    parts = []
    for number, wave in enumerate((hum(1.0), high(1.0))):  # each a second shorter than its pictures
        sound = write_recording(tmp_path / f"{number}.m4a", wave, codec="aac")
        parts.append(write_film(tmp_path / f"{number}.ts", clip, sound))
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    (joint,) = picture_joints(path)
    assert float(joint) == pytest.approx(2.0, abs=0.1)
    facts, samples = heard(path)
    assert facts.restarts == 1 and facts.seconds == pytest.approx(3.0, abs=0.2)
    assert pitch(samples[int(2.2 * RATE) : int(2.9 * RATE)]) == pytest.approx(440, abs=4)
    ((start, end),) = facts.missing
    assert (start, end) == pytest.approx((1.0, 2.0), abs=0.15)


def test_a_gap_of_a_year_is_closed_up(tmp_path: Path) -> None:
    path = write_stamped(tmp_path / "a.mka", [(0.0, hum(1.0)), (31_536_000.0, high(1.0))])
    facts, samples = heard(path)
    assert facts.closed == 1 and len(samples) == pytest.approx(2 * RATE, abs=RATE / 20) and not facts.missing
    assert recording_facts(path, "a.mka", InputLimits())[0].duration == pytest.approx(2.0, abs=0.05)


class Changed:
    """A container whose packets were changed; containers refuse to write such ones."""

    def __init__(self, container: av.container.InputContainer, packets: list[av.Packet]) -> None:
        self.demux = lambda _stream: iter(packets)
        self.format = container.format


def test_packets_that_are_repeated_are_heard_once(tmp_path: Path) -> None:
    with av.open(str(write_stamped(tmp_path / "a.mka", [(0.0, high(1.0))]))) as container:
        stream = container.streams.audio[0]
        packets = list(container.demux(stream))
        decoder = SoundDecoder(Changed(container, [*packets[:6], *packets[3:]]), stream)  # type: ignore[arg-type]
        parts = list(decoder.parts())
    assert decoder.repeated == 3 and sum(part.seconds for part in parts) == 1


def test_packets_with_other_contents_are_all_heard(tmp_path: Path) -> None:
    """Times that go back again and again hide nothing."""
    noise = (0.1 * np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)
    with av.open(str(write_stamped(tmp_path / "a.mka", [(0.0, noise)]))) as container:
        stream = container.streams.audio[0]
        packets = list(container.demux(stream))
        for number, packet in enumerate(packets[:-1]):
            packet.pts = packet.dts = 100 * (number % 3)
        decoder = SoundDecoder(Changed(container, packets), stream)  # type: ignore[arg-type]
        assert sum(part.seconds for part in decoder.parts()) == 1 and not decoder.repeated


def test_what_is_lost_at_both_ends_is_marked(tmp_path: Path) -> None:
    with av.open(str(write_recording(tmp_path / "a.m4a", hum(6.0), codec="aac"))) as container:
        stream = container.streams.audio[0]
        packets = list(container.demux(stream))
        for number, packet in enumerate(packets[:-1]):
            if not 16 <= number < 64:
                packets[number] = av.Packet(b"\xff" * packet.size)
                packets[number].pts, packets[number].duration = packet.pts, packet.duration
                packets[number].time_base = packet.time_base
        decoder = SoundDecoder(Changed(container, packets), stream)  # type: ignore[arg-type]
        clock = SoundClock()
        first, second, *_, last = list(clock.on_clock(decoder.parts()))
    assert decoder.refused > 40 and first[1].seconds == last[1].seconds == 0
    assert float(second[0]) == pytest.approx(1.0, abs=0.15) and float(last[0]) == pytest.approx(2.0, abs=0.15)
    assert float(clock.end) == pytest.approx(6.0, abs=0.15)
