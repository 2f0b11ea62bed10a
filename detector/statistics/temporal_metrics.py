"""Measure segments in time: average precision and recall, overlap, delay and flicker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Span = tuple[float, float]

OVERLAPS = (0.5, 0.75, 0.95)
PROPOSALS = (10, 20, 50)
# AR is the mean over these overlaps, as in LAV-DF.
_AR_OVERLAPS = np.arange(0.5, 0.951, 0.05)


@dataclass(frozen=True)
class Timed:
    """One person of one clip: true segments, and proposals as (start, end, confidence) in seconds."""

    name: str
    truth: tuple[Span, ...]
    proposals: tuple[tuple[float, float, float], ...]


def overlap(truth: Sequence[Span], proposals: Sequence[Span]) -> float:
    """Return the intersection over union of two sets of intervals; 0 if both are empty."""
    marks = sorted({t for span in (*truth, *proposals) for t in span})
    both = either = 0.0
    for start, end in pairwise(marks):
        middle = (start + end) / 2
        inside = [any(a <= middle < b for a, b in spans) for spans in (truth, proposals)]
        both += (end - start) * all(inside)
        either += (end - start) * any(inside)
    return both / either if either else 0.0


def span_overlap(a: Span, b: Span) -> float:
    """Return the tIoU of two segments."""
    shared = min(a[1], b[1]) - max(a[0], b[0])
    union = max(a[1], b[1]) - min(a[0], b[0])
    return max(0.0, shared) / union if union > 0 else 0.0


def average_precision(videos: Sequence[Timed], least: float) -> float:
    """Return AP at tIoU ``least``: the area under interpolated precision over recall.

    Follows ActivityNet (Heilbron et al., CVPR 2015), LAV-DF (Cai et al., 2022) and AV-Deepfake1M (Cai et al.,
    2024): proposals of all videos are pooled and sorted by confidence, each is matched to the best free true
    segment of its own video, and a video without proposals counts all its true segments as missed. A "video"
    is one person of a clip. Raises ``ValueError`` if no video has a true segment.
    """
    total = sum(len(v.truth) for v in videos)
    if not total:
        raise ValueError("average precision needs at least one true segment")
    hits = _hits(videos, least)
    if not len(hits):
        return 0.0
    true = np.cumsum(hits)
    precision, recall = true / np.arange(1, len(hits) + 1), true / total
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall, prepend=0.0) * falling).sum())


def average_recall(videos: Sequence[Timed], most: int) -> float:
    """Return AR with the ``most`` most confident proposals of each video, averaged over tIoU 0.5 to 0.95.

    Raises ``ValueError`` if no video has a true segment.
    """
    total = sum(len(v.truth) for v in videos)
    if not total:
        raise ValueError("average recall needs at least one true segment")
    cut = [Timed(v.name, v.truth, tuple(sorted(v.proposals, key=lambda p: -p[2])[:most])) for v in videos]
    return float(np.mean([_hits(cut, float(least)).sum() / total for least in _AR_OVERLAPS]))


def mean_overlap(videos: Sequence[Timed]) -> float:
    """Return the mean tIoU of all true segments with all proposals, over videos with true segments."""
    with_truth = [v for v in videos if v.truth]
    return float(np.mean([overlap(v.truth, [p[:2] for p in v.proposals]) for v in with_truth]))


@dataclass(frozen=True)
class Delay:
    """Seconds from the start of a true segment to its first flagged moment, over the segments met."""

    mean: float | None
    median: float | None
    met: int
    missed: int


def detection_delay(videos: Sequence[Timed]) -> Delay:
    """Measure how late a manipulation is noticed; a segment flagged before its start has delay 0."""
    delays, missed = [], 0
    for video in videos:
        for start, end in video.truth:
            first = [max(start, p[0]) for p in video.proposals if p[0] < end and p[1] > start]
            if first:
                delays.append(min(first) - start)
            else:
                missed += 1
    if not delays:
        return Delay(None, None, 0, missed)
    return Delay(float(np.mean(delays)), float(np.median(delays)), len(delays), missed)


def sign_changes(times: NDArray[np.float64], values: NDArray[np.float64], threshold: float) -> int:
    """Count how often ``values`` (n,) cross ``threshold``; a value at the threshold is above it."""
    above = values >= threshold
    return int((above[1:] != above[:-1]).sum()) if len(times) > 1 else 0


def flicker(tracks: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], threshold: float) -> float:
    """Return crossings per second over all tracks, given as times (n,) and smoothed probabilities (n,)."""
    seconds = sum(float(times[-1] - times[0]) for times, _ in tracks if len(times) > 1)
    crossings = sum(sign_changes(times, values, threshold) for times, values in tracks)
    return crossings / seconds if seconds else 0.0


def figures(videos: Sequence[Timed]) -> dict[str, float]:
    """Return AP, AR and mean tIoU by their names in model cards."""
    return {
        **{f"AP at tIoU {least:g}": average_precision(videos, least) for least in OVERLAPS},
        **{f"AR at {most}": average_recall(videos, most) for most in PROPOSALS},
        "mean temporal IoU": mean_overlap(videos),
    }


def _hits(videos: Sequence[Timed], least: float) -> NDArray[np.bool_]:
    """Return for each proposal, by descending confidence, whether it matches a free true segment."""
    pooled = sorted(
        ((v, start, end, confidence) for v in videos for start, end, confidence in v.proposals),
        key=lambda p: -p[3],
    )
    matched: set[tuple[str, int]] = set()
    hits = np.zeros(len(pooled), bool)
    for rank, (video, start, end, _) in enumerate(pooled):
        shares = [span_overlap((start, end), span) for span in video.truth]
        for index in sorted(range(len(shares)), key=lambda i: -shares[i]):
            if shares[index] >= least - 1e-9 and (video.name, index) not in matched:
                matched.add((video.name, index))
                hits[rank] = True
                break
    return hits
