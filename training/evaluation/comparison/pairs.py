"""Pairs of exhibit and reference with known differences, made from aligned research clips."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from detector.statistics.temporal_metrics import Span
from training.data.research_faces import read_csv
from training.evaluation.short_clips import (
    RETIMED,
    VARIANTS,
    ShortClip,
    Variant,
    read_short_clip,
    write_short_clip,
)

_SPLICE = (0.3, 0.65)  # range of a clip's frames taken from the fake
_MIDDLE = (0.33, 0.67)  # range of a clip's frames that exhibit and reference share
_TO_THE_END = 1e9  # seconds: ends a span with its clip (:func:`clipped`)


@dataclass(frozen=True)
class KnownPair:
    """An exhibit with its reference, and the truth about both.

    Clips with one ``aligned`` value in ``clips/labels.csv`` match frame by frame: an original, and fakes of
    it. An exhibit is one of them, changed in some way; the reference is the original. ``write`` and
    ``reference`` return their files, written to a folder if necessary. ``spans`` are the manipulated times of
    the person on ``side`` (``left``, ``right``; "" for a single one). The reference shows a ``time`` of the
    exhibit at ``speed * time + shift``; ``shift`` is None if the two are unrelated or no single line fits.
    """

    name: str
    kind: str
    variant: str
    reference: Callable[[Path], Path]
    write: Callable[[Path], Path]
    spans: tuple[Span, ...]
    related: bool = True
    shift: float | None = 0.0
    side: str = ""
    speed: float = 1.0


def aligned_sets(clips: Path, role: str) -> dict[str, tuple[Path, tuple[Path, ...]]]:
    """Return the original and its fakes, by the name of each set of aligned clips of ``role``."""
    sets: dict[str, list[tuple[str, Path]]] = defaultdict(list)
    for row in read_csv(clips / "labels.csv"):
        if row["role"] == role and row["aligned"]:
            sets[row["aligned"]].append((row["label"], clips / row["file"]))
    out = {}
    for name, files in sorted(sets.items()):
        real = [path for label, path in files if label == "real"]
        fakes = tuple(path for label, path in files if label == "fake")
        if len(real) == 1 and fakes:
            out[name] = real[0], fakes
    return out


def known_pairs(data: Path, role: str, each: int) -> Iterator[KnownPair]:
    """Yield all pairs of ``role``, with ``each`` variants per clip in turn: all are equally frequent."""
    sets = aligned_sets(data / "clips", role)
    turn = 0
    for real, fakes in sets.values():
        for path in (*fakes, real):
            kind = "original" if path == real else "fake"
            for step in range(each):
                yield _changed(path, real, kind, VARIANTS[(turn + step * 4) % len(VARIANTS)])
            yield _changed(path, real, kind, RETIMED[turn % len(RETIMED)])
            turn += 1
    names = list(sets)
    for rank, name in enumerate(names):
        real, fakes = sets[name]
        yield _spliced(real, fakes[rank % len(fakes)])
        other, other_fakes = sets[names[(rank + 1) % len(names)]]
        yield KnownPair(
            f"{real.name} against {other.name}",
            "unrelated",
            "",
            _unchanged(other),
            _unchanged(real),
            (),
            related=False,
            shift=None,
        )
        if rank % 2 == 0:
            yield _duo(real, other, other_fakes[0])
        before = sets[names[rank - 1]][0]
        for shot in (real, fakes[rank % len(fakes)]):
            yield _one_shot_of_three(before, real, other, shot)
            yield _part_among_others(before, real, other, shot)
            yield _longer_take(real, shot)
        yield _two_others(before, real, other)
    if role == "develop":
        yield from _published(data / "videos")


def _unchanged(path: Path) -> Callable[[Path], Path]:
    return lambda folder: path


def _changed(path: Path, real: Path, kind: str, variant: Variant) -> KnownPair:
    def write(folder: Path) -> Path:
        film = variant.change(read_short_clip(path))
        return write_short_clip(film, folder / "exhibit.mp4", variant.crf)

    spans = ((0.0, _TO_THE_END),) if kind == "fake" else ()
    rate, _ = _rate_and_count(path)
    shift = float(round(variant.shift * rate) / rate)  # whole frames are cut off
    return KnownPair(
        path.name, kind, variant.name, _unchanged(real), write, spans, shift=shift, speed=variant.speed
    )


def _rate_and_count(path: Path) -> tuple[Fraction, int]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return stream.average_rate or Fraction(25), stream.frames


def _spliced(real: Path, fake: Path) -> KnownPair:
    rate, count = _rate_and_count(real)
    first, last = (round(share * count) for share in _SPLICE)

    def write(folder: Path) -> Path:
        original, other = read_short_clip(real), read_short_clip(fake)
        frames = original.frames[:first] + other.frames[first:last] + original.frames[last:]
        return write_short_clip(ShortClip(frames, original.rate), folder / "exhibit.mp4", 23)

    return KnownPair(
        fake.name, "splice", "crf 23", _unchanged(real), write, ((float(first / rate), float(last / rate)),)
    )


def _duo(left: Path, right: Path, right_fake: Path) -> KnownPair:
    def side_by_side(second: Path, name: str) -> Callable[[Path], Path]:
        def write(folder: Path) -> Path:
            films = [read_short_clip(left), read_short_clip(second)]
            height = min(film.frames[0].shape[0] for film in films)
            count = min(len(film.frames) for film in films)
            halves = [
                [
                    cv2.resize(frame, (height, height), interpolation=cv2.INTER_AREA)
                    for frame in film.frames[:count]
                ]
                for film in films
            ]
            frames = [np.hstack(pair) for pair in zip(*halves, strict=True)]
            return write_short_clip(ShortClip(frames, films[0].rate), folder / name, 23)

        return write

    return KnownPair(
        f"{left.name} beside {right_fake.name}",
        "two people",
        "crf 23",
        side_by_side(right, "reference.mp4"),
        side_by_side(right_fake, "exhibit.mp4"),
        ((0.0, _TO_THE_END),),
        side="right",
    )


def _one_shot_of_three(before: Path, real: Path, after: Path, shot: Path) -> KnownPair:
    """Compare a single shot with a reference in which it stands between two others."""

    def edited(folder: Path) -> Path:
        films = [read_short_clip(path) for path in (before, real, after)]
        return write_short_clip(_join(films, films[1]), folder / "reference.mp4", 18)

    def write(folder: Path) -> Path:
        return write_short_clip(read_short_clip(shot), folder / "exhibit.mp4", 28)

    rate, _ = _rate_and_count(real)
    _, count = _rate_and_count(before)
    kind, spans = ("original", ()) if shot == real else ("fake", ((0.0, _TO_THE_END),))
    return KnownPair(shot.name, kind, "one shot of three", edited, write, spans, shift=float(count / rate))


def _join(films: Sequence[ShortClip], like: ShortClip) -> ShortClip:
    """Join films at the size and rate of ``like``."""
    height, width = like.frames[0].shape[:2]
    frames = [
        np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA))
        for film in films
        for frame in film.frames
    ]
    return ShortClip(frames, like.rate)


def _middle(count: int) -> slice:
    first, last = (round(share * count) for share in _MIDDLE)
    return slice(first, last)


def _part_among_others(before: Path, real: Path, after: Path, shot: Path) -> KnownPair:
    """Compare a second of a clip between two others, as in a news item, with the whole original."""
    rate, count = _rate_and_count(real)
    _, ahead = _rate_and_count(before)
    part = _middle(count)

    def write(folder: Path) -> Path:
        films = [read_short_clip(path) for path in (before, shot, after)]
        films[1] = ShortClip(films[1].frames[part], films[1].rate)
        return write_short_clip(_join(films, films[1]), folder / "exhibit.mp4", 28)

    start, end = float(ahead / rate), float((ahead + part.stop - part.start) / rate)
    return KnownPair(
        shot.name,
        "original" if shot == real else "fake",
        "a sixth of the exhibit",
        _unchanged(real),
        write,
        () if shot == real else ((start, end),),
        shift=float((part.start - ahead) / rate),
    )


def _longer_take(real: Path, shot: Path) -> KnownPair:
    """Compare a whole clip with a reference that holds only its middle."""
    rate, count = _rate_and_count(real)
    part = _middle(count)

    def middle(folder: Path) -> Path:
        film = read_short_clip(real)
        return write_short_clip(ShortClip(film.frames[part], film.rate), folder / "reference.mp4", 18)

    def write(folder: Path) -> Path:
        return write_short_clip(read_short_clip(shot), folder / "exhibit.mp4", 28)

    spans = ((float(part.start / rate), float(part.stop / rate)),)
    return KnownPair(
        shot.name,
        "original" if shot == real else "fake",
        "a third of its take",
        middle,
        write,
        () if shot == real else spans,
        shift=-float(part.start / rate),
    )


def _two_others(before: Path, real: Path, after: Path) -> KnownPair:
    """Compare two clips in a row with a third one."""

    def write(folder: Path) -> Path:
        films = [read_short_clip(path) for path in (before, after)]
        return write_short_clip(_join(films, films[0]), folder / "exhibit.mp4", 28)

    return KnownPair(
        real.name, "unrelated", "two others", _unchanged(real), write, (), related=False, shift=None
    )


def _published(videos: Path) -> Iterator[KnownPair]:
    """Yield spliced clips and controls in full frame with the originals of their targets."""
    for name in ("splices", "controls"):
        for entry in json.loads((videos / f"{name}.json").read_text()):
            file = entry["file"]
            target = file.removesuffix(".mp4").split("-")[-1].split("_")[0]
            original = videos / f"ffpp-c40-original-{target}.mp4"
            spans = tuple((span["start"], span["end"]) for span in entry["segments"])
            yield KnownPair(
                file,
                "splice" if spans else "control",
                "as published",
                _unchanged(original),
                _unchanged(videos / file),
                spans,
                shift=None,  # not recorded, and one of them starts later in its original
            )


def clip_spans(spans: Sequence[Span], end: float) -> tuple[Span, ...]:
    """Clip ``spans`` to a clip that lasts until ``end``."""
    return tuple((start, min(stop, end)) for start, stop in spans)
