"""Compose clips from aligned develop pairs, and measure when and whom the engine flags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from detector.media.frame import Image
from detector.models.loaded import LoadedModel
from detector.progress import ReportText
from detector.schema.analysis import Analysis, Verdict
from detector.statistics.temporal_metrics import Span, average_precision
from training.data.research_faces import read_csv
from training.evaluation.material import Clip, ListedClip, listed_clips, share_flagged, timed_clips
from training.evaluation.short_clips import ShortClip, read_short_clip, write_short_clip
from training.second_look.measuring.stored_analyses import analyses_folder, stored_analysis

_SEED = 22
_RATE = Fraction(25)  # frames a second of composed clips
_CRF = 20
_SHORTEST, _LONGEST = 1.2, 3.0  # seconds of an interval
_MARGIN = 0.7  # seconds before and after it
_SIDE = 400  # px; of the larger person of two
_SMALLER = (0.55, 0.95)  # of the larger one's side
_PIECE = Fraction(1, 2)  # seconds of each piece where original and fake alternate
_ALTERNATING = 8  # clips of such pieces


@dataclass(frozen=True)
class ClipPair:
    """A fake with the unmanipulated clip that it matches frame by frame."""

    real: Path
    fake: Path
    generator: str


@dataclass(frozen=True)
class Duo:
    """A clip of two people separated at ``split_x``, of whom one is manipulated."""

    path: Path
    split_x: float
    right_is_manipulated: bool


def develop_pairs(data: Path) -> list[ClipPair]:
    """Choose one pair of each aligned set of role ``develop`` below ``data``, generators in turn."""
    rows = [row for row in read_csv(data / "clips" / "labels.csv") if row["role"] == "develop"]
    sets: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        if row["aligned"]:
            sets.setdefault(row["aligned"], []).append(row)
    out: list[ClipPair] = []
    used: dict[str, int] = {}
    for _, members in sorted(sets.items(), key=lambda item: (len(item[1]), item[0])):
        real = next(row for row in members if row["label"] == "real")
        fakes = sorted((row for row in members if row["label"] == "fake"), key=lambda row: row["generator"])
        fake = min(fakes, key=lambda row: used.get(row["generator"], 0))
        used[fake["generator"]] = used.get(fake["generator"], 0) + 1
        folder = data / "clips"
        out.append(ClipPair(folder / real["file"], folder / fake["file"], fake["generator"]))
    return out


def generators_in_turn(pairs: Sequence[ClipPair]) -> list[ClipPair]:
    """Return ``pairs`` in an order in which their generators take turns."""
    ranked: list[tuple[int, ClipPair]] = []
    for pair in pairs:
        ranked.append((sum(other.generator == pair.generator for _, other in ranked), pair))
    return [pair for _, pair in sorted(ranked, key=lambda item: item[0])]


def write_splices(pairs: Sequence[ClipPair], folder: Path) -> list[ListedClip]:
    """Write a splice of each pair that is long enough to ``folder``: one interval is that of the fake."""
    rng = np.random.default_rng(_SEED)
    out = []
    for pair in pairs:
        real, fake = read_short_clip(pair.real).frames, read_short_clip(pair.fake).frames
        count = min(len(real), len(fake))
        within = float(count / _RATE) - 2 * _MARGIN
        if within < _SHORTEST:
            continue
        length = float(rng.uniform(_SHORTEST, min(_LONGEST, within)))
        start = _MARGIN + float(rng.uniform(0, within - length))
        first, last = round(start * _RATE), round((start + length) * _RATE)
        path = folder / f"splice-{pair.fake.stem}.mp4"
        _write([*real[:first], *fake[first:last], *real[last:count]], path)
        truth: Span = (float(first / _RATE), float(last / _RATE))
        out.append(ListedClip(path.name, path, True, pair.generator, (truth,), path.name))
    return out


def write_alternations(pairs: Sequence[ClipPair], folder: Path) -> list[Path]:
    """Write a clip of each pair to ``folder`` that shows original and fake in turn, half a second each."""
    out = []
    for pair in pairs:
        both = read_short_clip(pair.real).frames, read_short_clip(pair.fake).frames
        count = min(map(len, both))
        pictures = [both[int(number / _RATE / _PIECE) % 2][number] for number in range(count)]
        path = folder / f"alternation-{pair.fake.stem}.mp4"
        _write(pictures, path)
        out.append(path)
    return out


def write_duos(pairs: Sequence[ClipPair], folder: Path) -> list[Duo]:
    """Write as many clips of two people to ``folder``: each fake beside the next pair's real clip."""
    rng = np.random.default_rng(_SEED)
    out = []
    for number, pair in enumerate(pairs):
        other = pairs[(number + 1) % len(pairs)]
        right, larger = bool(rng.random() < 0.5), bool(rng.random() < 0.5)
        small = round(_SIDE * float(rng.uniform(*_SMALLER))) // 2 * 2
        people = [(pair.fake, _SIDE if larger else small), (other.real, small if larger else _SIDE)]
        left_to_right = people[::-1] if right else people
        sides = [
            [_place_on_grey(picture, side) for picture in read_short_clip(clip).frames]
            for clip, side in left_to_right
        ]
        pictures = [np.hstack(both) for both in zip(*sides, strict=False)]
        path = folder / f"duo-{pair.fake.stem}.mp4"
        _write(pictures, path)
        out.append(Duo(path, float(left_to_right[0][1]), right))
    return out


def measure_composed(data: Path, model: LoadedModel, folder: Path, report: ReportText) -> dict[str, float]:
    """Measure the AP of segments over splices of ``data`` and new ones, and whom findings of duos flag.

    Of clips in which original and fake alternate it counts those that are flagged. New clips are written to
    ``folder``, and so are analyses, so that a run can be resumed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    analyses = analyses_folder(model, folder)
    pairs = develop_pairs(data)
    given = [clip for clip in listed_clips(data / "videos") if clip.truth and clip.split_x is None]
    controls = [clip for clip in listed_clips(data / "videos") if not clip.generator]
    clips = []
    for listed in [*given, *controls, *write_splices(pairs, folder)]:
        analysis = stored_analysis(listed.path, model, analyses)
        clips.append(Clip(listed.file, listed.fake, listed.generator, listed.truth, analysis))
        segments = [(round(s.start, 2), round(s.end, 2), round(s.confidence, 2)) for s in analysis.segments]
        report(
            f"{listed.file}: manipulated {listed.truth}, segments {segments}, "
            f"kind {analysis.kind or 'not stated'}"
        )
    partly = timed_clips([clip for clip in clips if clip.truth])
    figures = {f"AP at tIoU {least}": average_precision(partly, least) for least in (0.5, 0.75)}
    figures["splices"] = float(sum(bool(clip.truth) for clip in clips))
    figures["splices flagged"] = share_flagged([clip for clip in clips if clip.truth])
    figures["controls flagged"] = share_flagged([clip for clip in clips if not clip.truth])
    duos = write_duos(pairs, folder)
    duos += [
        Duo(clip.path, clip.split_x, right_is_manipulated=True)
        for clip in listed_clips(data / "videos")
        if clip.split_x is not None
    ]
    sides = [_flagged_sides(duo, stored_analysis(duo.path, model, analyses), report) for duo in duos]
    figures["duos"] = float(len(duos))
    figures["right person only"] = float(sum(found == {True} for found in sides))
    figures["wrong person"] = float(sum(False in found for found in sides))
    alternations = write_alternations(generators_in_turn(pairs)[:_ALTERNATING], folder)
    verdicts = [stored_analysis(path, model, analyses).verdict for path in alternations]
    for path, verdict in zip(alternations, verdicts, strict=True):
        report(f"{path.name}: {verdict}")
    figures["alternations"] = float(len(verdicts))
    figures["alternations flagged"] = float(verdicts.count(Verdict.MANIPULATED))
    for name, value in figures.items():
        report(f"{name}: {value:.3f}")
    return figures


def _flagged_sides(duo: Duo, analysis: Analysis, report: ReportText) -> set[bool]:
    """Return for all flagged persons whether they are the manipulated one."""
    who = {segment.person for segment in analysis.segments}
    found = set()
    if analysis.verdict is Verdict.MANIPULATED:
        for person in analysis.persons:
            if person.id in who:
                right = (person.median_box[0] + person.median_box[2]) / 2 >= duo.split_x
                found.add(right == duo.right_is_manipulated)
    report(f"{duo.path.name}: {analysis.verdict}, flagged {sorted(found)}")
    return found


def _place_on_grey(picture: Image, side: int) -> Image:
    """Place ``picture`` at ``side`` px in the middle of a grey field of full height."""
    out = np.full((_SIDE, side, 3), 96, np.uint8)
    top = (_SIDE - side) // 2
    out[top : top + side] = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    return out


def _write(pictures: list[Image], path: Path) -> None:
    """Write a clip unless an earlier run did: the encoder takes minutes."""
    if path.exists():
        return
    write_short_clip(ShortClip(pictures, _RATE), path, _CRF, one_thread=True)
