"""Hidden marks on the research data: ``python -m tests.bench_marks WHAT [DATA]``.

``photographs`` and ``clips`` count marks in unmanipulated ones, which carry none; ``voices`` does so in human
voices, and counts what is left of marks after codecs, resampling and cuts; ``sounds`` counts them in tones,
chords, signals, hum, music (sox must be installed) and silence, and in human speech over each; ``agreement``
compares the decoder with ``invisible-watermark``, ``cost`` measures milliseconds. DATA is the research
folder, ``../shared/data`` unless named.
"""

from __future__ import annotations

import csv
import statistics
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from detector.marks.dwt_dct import FRAME_PIXELS, decode_as_library, find_pixel_mark
from detector.marks.perth import RATE, PerthDecoder, weights_path
from detector.marks.sound import LEAST_STRENGTH, confirmed_strength
from detector.media.frame import Image

RESEARCH = Path("../shared/data")
SAMPLE_RATE = 8  # frames a second, as the engine samples
_LIMITS, _MARKED = (0.5, 0.9, 0.95), 30


def real_photographs(data: Path) -> Iterator[tuple[str, Image]]:
    """Yield name and picture (height, width, 3), RGB, of each unmanipulated picture in the archives."""
    for archive in sorted(data.glob("*.zip")):
        table = archive.with_suffix(".csv")
        real = None
        if table.exists():
            with table.open(newline="") as file:
                real = {row["file"] for row in csv.DictReader(file) if row["label"] == "real"}
        with zipfile.ZipFile(archive) as pictures:
            for name in pictures.namelist():
                if name.endswith(".jpg") and (real is None or name.rpartition("/")[2] in real):
                    pixels = cv2.imdecode(np.frombuffer(pictures.read(name), np.uint8), cv2.IMREAD_COLOR_RGB)
                    yield f"{archive.stem}/{name}", pixels


def real_clips(data: Path) -> Iterator[Path]:
    """Yield each unmanipulated clip."""
    for folder in (data / "clips", data / "videos"):
        with (folder / "labels.csv").open(newline="") as file:
            yield from (folder / row["file"] for row in csv.DictReader(file) if row["label"] == "real")


def sampled_frames(clip: Path) -> Iterator[Image]:
    """Yield about eight frames of each second (height, width, 3), RGB."""
    with av.open(str(clip)) as container:
        last = -1
        for frame in container.decode(video=0):
            if int((frame.time or 0) * SAMPLE_RATE) != last:
                last = int((frame.time or 0) * SAMPLE_RATE)
                yield frame.to_ndarray(format="rgb24")


def count_in_photographs(data: Path) -> None:
    counts: dict[str, int] = {}
    for name, picture in real_photographs(data):
        archive = name.partition("/")[0]
        counts[archive] = counts.get(archive, 0) + 1
        if mark := find_pixel_mark(picture):
            print(f"{name}: {mark}")
    print(f"{sum(counts.values())} photographs: {counts}")


def count_in_clips(data: Path) -> None:
    clips = frames = 0
    for clip in real_clips(data):
        clips += 1
        for picture in sampled_frames(clip):
            frames += 1
            if mark := find_pixel_mark(picture, FRAME_PIXELS):
                print(f"{clip.name}: {mark}")
    print(f"{clips} clips, {frames} frames")


def judge_voices(data: Path) -> None:
    from tests.detector.perth_writer import resampled, through_codec, write_mark

    weights = weights_path()
    assert weights is not None, "install resemble-perth"
    decoder = PerthDecoder(weights)
    voices = human_voices(data)
    strengths = np.array([decoder.strength(voice) for voice in voices])
    print(f"{len(voices)} voices without the mark:", *(f"{(strengths >= x).sum()} from {x}" for x in _LIMITS))
    print("highest:", np.sort(strengths)[-5:].round(3).tolist())
    chosen = [voices[at] for at in np.random.default_rng(0).permutation(len(voices))[:_MARKED]]
    changes: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
        "unchanged": lambda sound: sound,
        "AAC, 64 kbit/s": lambda sound: through_codec(sound, "aac", "mp4", 44_100, 64_000),
        "Opus, 24 kbit/s": lambda sound: through_codec(sound, "libopus", "ogg", 48_000, 24_000),
        **{f"{rate} Hz": partial(resampled, rate=rate) for rate in (24_000, 16_000, 8_000)},
        "cut to 2 s": lambda sound: sound[RATE : 3 * RATE],
        "cut to 1 s": lambda sound: sound[RATE : 2 * RATE],
    }
    marked = [write_mark(voice) for voice in chosen]
    for name, change in changes.items():
        changed = [np.ascontiguousarray(change(sound)) for sound in marked]
        strengths = np.array([confirmed_strength(decoder, sound) for sound in changed])
        print(f"{name}:", *(f"{(strengths >= x).sum()} from {x}" for x in _LIMITS), f"of {len(marked)}")


def human_voices(data: Path) -> list[NDArray[np.float32]]:
    """Return the human recordings (n,) at 32 kHz, mono."""
    with (data / "voices" / "labels.csv").open(newline="") as file:
        names = [row["file"] for row in csv.DictReader(file) if row["label"] == "real"]
    return [read_sound(data / "voices" / name) for name in names]


def judge_sounds(data: Path) -> None:
    """Count sounds that pass for the mark by one answer of the network, and by all that are asked for."""
    from tests.unmarked_sounds import KINDS, mixed

    weights = weights_path()
    assert weights is not None, "install resemble-perth"
    decoder, voices, rng = PerthDecoder(weights), human_voices(data), np.random.default_rng(9)
    for kind, make in KINDS.items():
        alone, spoken = [], []
        for _, sound in make():
            over = mixed(voices[rng.integers(len(voices))], sound, float(rng.choice([-6, 0, 10, 20])))
            for judged, strengths in ((sound, alone), (over, spoken)):
                strengths.append((decoder.strength(judged), confirmed_strength(decoder, judged)))
        for name, strengths in ((kind, alone), (f"speech over {kind}", spoken)):
            whole, confirmed = (np.array(strengths) >= LEAST_STRENGTH).sum(axis=0)
            print(
                f"{name}: of {len(strengths)} the whole passes in {whole}, confirmed {confirmed}", flush=True
            )


def read_sound(path: Path) -> NDArray[np.float32]:
    """Return the samples (n,) of a sound file at 32 kHz, mono."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("flt", "mono", RATE)
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        return np.concatenate([part.to_ndarray()[0] for part in (*frames, *resampler.resample(None))])


def compare_with_library(data: Path) -> None:
    from imwatermark import WatermarkDecoder

    pictures = bits = different = 0
    for number, (_, picture) in enumerate(real_photographs(data)):
        if number % 25:
            continue
        whole = cv2.resize(picture, (257 + number % 97, 259 + number % 89))
        pictures += 1
        for length in (32, 48, 64, 136, 224):
            expected = WatermarkDecoder("bits", length).decode(whole[:, :, ::-1].copy())
            bits += length
            different += int(np.count_nonzero(decode_as_library(whole, length) != expected))
    print(f"{different} of {bits} bits of {pictures} pictures differ")


def measure_cost(data: Path) -> None:
    del data
    cv2.setNumThreads(1)
    noise = np.random.default_rng(0).normal(0, 6, (3000, 4000, 3))
    scene = cv2.resize(np.random.default_rng(1).integers(0, 255, (30, 40, 3), np.uint8), (4000, 3000))
    photo = np.clip(cv2.resize(scene, (4000, 3000)) + noise, 0, 255).astype(np.uint8)
    for name, picture, pixels in (
        ("photograph of 4000 × 3000", photo, None),
        ("frame of 1920 × 1080", photo[:1080, :1920].copy(), FRAME_PIXELS),
    ):
        times = []
        for _ in range(30):
            start = time.process_time()
            find_pixel_mark(picture, *([pixels] if pixels else []))
            times.append(1000 * (time.process_time() - start))
        print(f"{name}: median {statistics.median(times):.1f} ms, greatest {max(times):.1f} ms")


if __name__ == "__main__":
    what = {
        "photographs": count_in_photographs,
        "clips": count_in_clips,
        "voices": judge_voices,
        "sounds": judge_sounds,
        "agreement": compare_with_library,
        "cost": measure_cost,
    }
    what[sys.argv[1]](Path(sys.argv[2]) if len(sys.argv) > 2 else RESEARCH)
