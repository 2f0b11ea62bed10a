"""Clips for measuring: so many people, so long, so large; none of it is anybody's data."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from detector.demo_clip import portraits
from detector.media.frame import Image

RATE = 25
SOUND_RATE = 48_000
# Where the face is in each portrait, px, and how wide.
_CENTRES = ((222, 120, 90), (256, 190, 170))


def make_clip(
    path: Path, seconds: float, size: tuple[int, int], people: int, bit_rate: int = 800_000
) -> None:
    """Write an mp4 (H.264, 25 frames a second) with ``people`` faces in every frame.

    ``size`` is (width, height) in px, ``bit_rate`` bit/s. Each portrait hangs in a tile of its own,
    filmed with an unsteady hand.
    """
    width, height = size
    columns = math.ceil(math.sqrt(people * width / height)) if people > 1 else 1
    rows = math.ceil(people / columns)
    tile = (width // columns // 2 * 2, height // rows // 2 * 2)
    rng = np.random.default_rng(20261121)
    photos = [_varied(portraits()[i % 2], i) for i in range(people)]
    phases = rng.uniform(0, 2 * math.pi, (people, 4))
    grain = [rng.normal(0, 1, (height, width, 1)).round().astype(np.int16).repeat(3, 2) for _ in range(8)]
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, RATE)
        stream.bit_rate = bit_rate
        stream.options = {"preset": "veryfast"}
        for number in range(round(seconds * RATE)):
            picture = np.full((height, width, 3), 96, np.uint8)
            for i, photo in enumerate(photos):
                x, y = i % columns * tile[0], i // columns * tile[1]
                seen = _seen(photo, i % 2, tile, number / RATE, phases[i])
                picture[y : y + tile[1], x : x + tile[0]] = seen
            picture = cv2.add(picture, grain[number % len(grain)], dtype=cv2.CV_8U)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def lengthen(path: Path, long: Path, times: int) -> None:
    """Write the clip at ``path`` ``times`` over to ``long``, without encoding it again."""
    with av.open(str(long), "w", format="mp4") as out:
        stream = None
        offset = 0
        for _ in range(times):
            with av.open(str(path)) as container:
                source = container.streams.video[0]
                stream = stream or out.add_stream_from_template(source)
                last = 0
                for packet in container.demux(source):
                    if packet.dts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    last = max(last, packet.pts + packet.duration)
                    packet.stream = stream
                    out.mux(packet)
            offset = last


def add_speech(path: Path, recording: Path, out: Path) -> None:
    """Copy the pictures of the clip at ``path`` with ``recording``, over and over until they end, as AAC."""
    with av.open(str(path)) as container, av.open(str(out), "w", format="mp4") as copy:
        source = container.streams.video[0]
        pictures = copy.add_stream_from_template(source)
        sound = copy.add_stream("aac", rate=SOUND_RATE, layout="mono")
        seconds = (container.duration or 0) / av.time_base
        for packet in container.demux(source):
            if packet.dts is not None:
                packet.stream = pictures
                copy.mux(packet)
        samples = 0
        while samples < seconds * SOUND_RATE:
            with av.open(str(recording)) as spoken:
                resampler = av.AudioResampler("fltp", "mono", SOUND_RATE, frame_size=1024)
                for frame in spoken.decode(audio=0):
                    for part in resampler.resample(frame):
                        part.pts, part.time_base = samples, Fraction(1, SOUND_RATE)
                        samples += part.samples
                        copy.mux(sound.encode(part))
        copy.mux(sound.encode())


def _varied(photo: Image, number: int) -> Image:
    """One portrait as another person's: mirrored, lighter or darker."""
    photo = photo[:, ::-1] if number // 2 % 2 else photo
    return cv2.convertScaleAbs(np.ascontiguousarray(photo), alpha=1 + 0.1 * (number // 4))


def _seen(photo: Image, which: int, tile: tuple[int, int], time: float, phase: np.ndarray) -> Image:
    x, y, face = _CENTRES[which]
    zoom = tile[1] / 3.2 / face * (1 + 0.06 * math.sin(0.9 * time + phase[0]))
    turn = 4 * math.sin(0.7 * time + phase[1])
    matrix = cv2.getRotationMatrix2D((x, y), turn, zoom)
    matrix[0, 2] += tile[0] / 2 - x + 0.05 * tile[0] * math.sin(1.1 * time + phase[2])
    matrix[1, 2] += tile[1] / 2 - y + 0.04 * tile[1] * math.sin(1.3 * time + phase[3])
    return cv2.warpAffine(photo, matrix, tile, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
