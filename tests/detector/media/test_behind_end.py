"""Sound behind the end that a header states: read if it is of the same kind, else counted."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from sounds import RATE, hum, write_recording, write_wave

from detector.media.acceptance import InputLimits
from detector.media.behind_end import sound_end, whole_sound
from detector.recordings import recording_facts
from detector.voice.samples import SoundFacts, SoundReader

WAVE64_END = bytes.fromhex("f3acd3118cd100c04f8edb8a")
# By file: where its header states the length of the samples, how, and how it is written.
HEADERS: dict[str, tuple[bytes, int, str, dict[str, object]]] = {
    "a.wav": (b"data", 4, "<I", {}),
    "a.caf": (b"data", 4, ">q", {"codec": "pcm_s16be"}),
    "a.w64": (b"data" + WAVE64_END, 16, "<Q", {}),
    "a.rf64": (b"ds64", 16, "<Q", {"container": "wav", "options": {"rf64": "always"}}),
}


def heard(path: Path) -> SoundFacts:
    reader = SoundReader(path)
    for _ in reader.blocks():
        pass
    assert reader.facts is not None
    return reader.facts


def noise(length: int) -> bytes:
    return np.random.default_rng(0).bytes(length)


def shortened(path: Path, length: int | None = None) -> Path:
    """Let the header state another ``length`` of the sound, a quarter unless given."""
    name, offset, form, _ = HEADERS[path.name]
    data = bytearray(path.read_bytes())
    at = data.index(name) + offset
    (whole,) = struct.unpack_from(form, data, at)
    struct.pack_into(form, data, at, whole // 4 & ~1 if length is None else length)
    path.write_bytes(data)
    return path


def recorded(path: Path, seconds: float = 3.0, rate: int = RATE) -> Path:
    *_, choices = HEADERS[f"a{path.suffix}"]
    return write_recording(path, hum(seconds), rate=rate, **choices)  # type: ignore[arg-type]


@pytest.fixture(params=list(HEADERS))
def recording(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return recorded(tmp_path / request.param)


def test_nothing_lies_behind_a_whole_recording(recording: Path) -> None:
    with recording.open("rb") as file:
        end = sound_end(file)
        assert (end.taken, end.unread) == (0, 0) and whole_sound(file) is file


def test_sound_behind_the_stated_end_is_examined(recording: Path) -> None:
    seconds = heard(recording).seconds
    facts = heard(shortened(recording))
    assert facts.seconds == seconds and not facts.unread and not facts.undecodable
    media, _ = recording_facts(recording, recording.name, InputLimits())
    assert media.duration == pytest.approx(seconds, abs=0.1)
    (anomaly,) = [found for found in media.anomalies if found.kind == "more behind the sound"]
    assert f"{round(0.75 * seconds * RATE * 2) // 1000}," in anomaly.observation


@pytest.mark.parametrize("count", [2, 3])
def test_joined_recordings_are_examined_whole(recording: Path, count: int) -> None:
    seconds = heard(recording).seconds
    recording.write_bytes(recording.read_bytes() * count)
    assert heard(recording).seconds == pytest.approx(count * seconds)


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("a.w64", 0),
        ("a.w64", 2**64 - 1),
        ("a.rf64", 0),
        ("a.rf64", 2**64 - 1),
        ("a.wav", 0),
        ("a.wav", 2**32 - 1),
    ],
)
def test_a_recording_that_was_sent_while_it_was_made_is_read(tmp_path: Path, name: str, length: int) -> None:
    """Its header states no end, nor the size of the file."""
    path = recorded(tmp_path / name)
    seconds, data = heard(path).seconds, bytearray(shortened(path, length).read_bytes())
    if name == "a.w64":
        data[16:24] = bytes(8)
    path.write_bytes(data)
    assert heard(path).seconds == seconds
    media, _ = recording_facts(path, name, InputLimits())
    assert media.duration == pytest.approx(3.0, abs=0.1)
    assert not {"durations disagree", "more behind the sound"} & {found.kind for found in media.anomalies}
    assert media.details is not None and media.details.streams[0].duration is None


def test_a_joined_recording_of_another_kind_is_counted(recording: Path) -> None:
    seconds, own = heard(recording).seconds, recording.read_bytes()
    other = recorded(recording.with_name(f"other{recording.suffix}"), 1.0, 8000)
    recording.write_bytes(own + other.read_bytes())
    facts = heard(recording)
    assert facts.seconds == seconds and facts.unread == other.stat().st_size


@pytest.mark.parametrize("what", [noise(50_000), b"PK\x03\x04" + bytes(5000), b"OggS" + b"\xff" * 5000])
def test_other_data_is_counted(recording: Path, what: bytes) -> None:
    seconds = heard(recording).seconds
    with recording.open("ab") as file:
        file.write(what)
    facts = heard(recording)
    assert facts.seconds == seconds and facts.unread == len(what)


def test_chunks_behind_the_sound_are_no_sound(tmp_path: Path) -> None:
    path = write_wave(tmp_path / "a.wav", hum(1.0)[None])
    with path.open("ab") as file:
        file.write(b"LIST" + struct.pack("<I", 5) + b"INFO\0" + b"\0" + b"bext" + struct.pack("<I", 600))
        file.write(bytes(600))
    with path.open("rb") as file:
        assert (sound_end(file).taken, sound_end(file).unread) == (0, 0)
    assert heard(path).seconds == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp3", "libmp3lame"), ("a.aac", "aac"), ("a.flac", "flac"), ("a.m4a", "aac")]
)
def test_what_lies_behind_or_between_frames_is_counted(tmp_path: Path, name: str, codec: str) -> None:
    path = write_recording(tmp_path / name, hum(3.0), codec=codec)
    assert not heard(path).unread
    own = path.read_bytes()
    if name == "a.m4a":
        path.write_bytes(own + own)
        assert heard(path).unread == len(own)
        return
    path.write_bytes(own + b"ID3\x04\0\0\0\0\x10\0" + bytes(2048) if name == "a.mp3" else own)
    assert not heard(path).unread
    path.write_bytes(own + bytes(20_000))
    assert heard(path).unread == pytest.approx(20_000, abs=700)


def test_frames_of_flac_may_grow(tmp_path: Path) -> None:
    wave = np.concatenate(
        [np.zeros(RATE, np.float32), 0.9 * np.frombuffer(noise(4 * RATE), np.int32) / 2**31]
    )
    path = write_recording(tmp_path / "a.flac", wave.astype(np.float32), codec="flac")
    assert not heard(path).unread


def test_a_claim_of_flac_refuses_nothing(tmp_path: Path) -> None:
    """STREAMINFO states 2 to the power of 36, less one, samples."""
    path = write_recording(tmp_path / "a.flac", hum(2.0), codec="flac")
    data = bytearray(path.read_bytes())
    data[21] |= 0x0F
    data[22:26] = b"\xff" * 4
    path.write_bytes(data)
    media, _ = recording_facts(path, "a.flac", InputLimits())
    assert media.duration == pytest.approx(2.0, abs=0.1)
    assert heard(path).seconds == pytest.approx(2.0, abs=0.1)
    (anomaly,) = [found for found in media.anomalies if found.kind == "durations disagree"]
    assert "1193:02:47" in anomaly.observation and "00:00:0" in anomaly.observation
