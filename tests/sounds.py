"""Sound files of every accepted kind, made for tests."""

from __future__ import annotations

import struct
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np

RATE = 16_000

# Name, encoder, sampling rate, and the container where the name does not tell it.
KINDS: tuple[tuple[str, str, int, str | None], ...] = (
    ("a.wav", "pcm_s16le", 16_000, None),
    ("a.mp3", "libmp3lame", 16_000, None),
    ("a.m4a", "aac", 16_000, None),
    ("a.aac", "aac", 16_000, "adts"),
    ("a.opus", "libopus", 48_000, None),
    ("a.ogg", "libopus", 48_000, None),
    ("a.flac", "flac", 16_000, None),
    ("a.amr", "libopencore_amrnb", 8_000, None),
    ("a.caf", "pcm_s16be", 16_000, None),
    ("a.weba", "libopus", 48_000, "webm"),
    ("a.mka", "aac", 16_000, "matroska"),
    ("a.aiff", "pcm_s16be", 16_000, None),
    ("a.au", "pcm_s16be", 16_000, None),
    ("a.w64", "pcm_s16le", 16_000, None),
    ("a.mp2", "mp2", 16_000, None),
    ("a.ac3", "ac3", 48_000, None),
    ("a.eac3", "eac3", 48_000, None),
    ("a.latm", "aac", 16_000, "latm"),
    ("a.wv", "wavpack", 16_000, None),
    ("a.tta", "tta", 16_000, None),
    ("a.voc", "pcm_s16le", 16_000, None),
    ("a.sf", "pcm_s16le", 16_000, "ircam"),
    ("a.sox", "pcm_s32le", 16_000, "sox"),
)


def hum(seconds: float) -> np.ndarray:
    """A swelling tone, (samples,) at 16 kHz."""
    time = np.arange(int(RATE * seconds)) / RATE
    tone: np.ndarray = 0.3 * np.sin(2 * np.pi * 220 * time) * (1 + np.sin(2 * np.pi * 3 * time)) / 2
    return tone.astype(np.float32)


class _OneWay:
    """A file that can only be written from its beginning to its end."""

    name = ""

    def __init__(self, file: BinaryIO) -> None:
        self.write = file.write


def write_recording(
    path: Path,
    wave: np.ndarray | None = None,
    *,
    codec: str = "pcm_s16le",
    rate: int = RATE,
    container: str | None = None,
    layout: str = "mono",
    options: dict[str, str] | None = None,
    coding: dict[str, str] | None = None,
    seekable: bool = True,
) -> Path:
    """Write ``wave``, (samples,) at 16 kHz, two seconds of a tone unless given.

    ``options`` are those of the container, ``coding`` those of the encoder. A container that is not
    ``seekable`` gets no lengths in its header, as when it is sent while it is recorded.
    """
    wave = hum(2.0) if wave is None else wave
    with ExitStack() as stack:
        target = str(path) if seekable else _OneWay(stack.enter_context(path.open("wb")))
        file = stack.enter_context(av.open(target, "w", format=container, options=options or {}))
        stream = file.add_stream(codec, rate=rate, layout=layout, options=coding or {})
        frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        frame.sample_rate = RATE
        resampler = av.AudioResampler(format=stream.codec_context.format, layout=layout, rate=rate)
        queue = av.AudioFifo()
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            queue.write(part)
        size = stream.codec_context.frame_size or 1024
        while (part := queue.read(size)) is not None:
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return path


def of_kind(folder: Path, name: str) -> Path:
    """Write the file called ``name`` of :data:`KINDS`."""
    name, codec, rate, container = next(kind for kind in KINDS if kind[0] == name)
    return write_recording(folder / name, codec=codec, rate=rate, container=container)


def write_wave(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    """Write ``samples``, (channels, n), as 16 bits with any count of channels, and any rate stated."""
    channels, data = len(samples), (samples.T * 32767).astype("<i2").tobytes()
    numbers = (channels, rate % 2**32, 2 * channels * rate % 2**32, 2 * channels, 16)
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, *numbers) + struct.pack("<4sI", b"data", len(data))
    path.write_bytes(struct.pack("<4sI4s", b"RIFF", 4 + len(head) + len(data), b"WAVE") + head + data)
    return path


def write_film(path: Path, pictures: Path, sound: Path, delay: float = 0.0) -> Path:
    """Copy the pictures of one file and the sound of another into a new one, sound ``delay`` s on."""
    with av.open(str(pictures)) as film, av.open(str(sound)) as voice, av.open(str(path), "w") as out:
        streams = [
            (film, film.streams.video[0], out.add_stream_from_template(film.streams.video[0]), 0.0),
            (voice, voice.streams.audio[0], out.add_stream_from_template(voice.streams.audio[0]), delay),
        ]
        packets = []
        for source, stream, target, later in streams:
            for packet in source.demux(stream):
                if packet.size:
                    packet.pts += round(later / packet.time_base)
                    packet.dts = packet.pts if stream.type == "audio" else packet.dts
                    packet.stream = target
                    packets.append(packet)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            out.mux(packet)
    return path


def write_stamped(path: Path, stretches: list[tuple[float, np.ndarray]]) -> Path:
    """Write PCM with these times into Matroska."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for start, wave in stretches:
            for at in range(0, len(wave), 1600):
                packet = av.Packet((wave[at : at + 1600] * 32767).astype("<i2").tobytes())
                packet.stream, packet.time_base = stream, Fraction(1, RATE)
                packet.pts = packet.dts = round(start * RATE) + at
                packet.duration = len(wave[at : at + 1600])
                out.mux(packet)
    return path
