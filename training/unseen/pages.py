"""Folds of pages, and figures that hold on pages nobody has learned from.

A *page* is the place a clip was published in. Real and manipulated clips of one page share a style, so a
whole page is left out at once, and with it every page that shares a group of people or a family of
generators. What is measured over all pages can still come from recognising styles; AUC *inside* pages, of
manipulated clips against real ones of the same page, cannot.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.unseen.samples import Sample

FOLDS = 8
FALSE_FLAGS = (0.05, 0.01)
_MOST_OF_CLASS = 5  # clips of a page that count in the weight of its AUC
_RESAMPLES = 400

Floats = NDArray[np.float64]


def fold_of_pages(samples: Sequence[Sample], count: int = FOLDS) -> dict[str, int]:
    """Return the fold, from 0 to ``count`` - 1, of each page; pages with a common group or family share it.

    Larger sets of pages come first, each where the sums of squares of both classes grow least.
    """
    parents: dict[tuple[str, str], tuple[str, str]] = {}

    def root(key: tuple[str, str]) -> tuple[str, str]:
        parents.setdefault(key, key)
        while parents[key] != key:
            parents[key] = key = parents[parents[key]]
        return key

    clips: dict[str, tuple[str, bool]] = {}
    for sample in samples:
        page = "page", sample.origin
        parents[root(page)] = root(("group", sample.group))
        if sample.fake:
            parents[root(page)] = root(("family", sample.family))
        clips[sample.file] = sample.origin, sample.fake
    sizes: dict[tuple[str, str], NDArray[np.int64]] = defaultdict(lambda: np.zeros(2, np.int64))
    for page_name, fake in clips.values():
        sizes[root(("page", page_name))][int(fake)] += 1
    totals, folds = np.zeros((count, 2), np.int64), {}
    for key in sorted(sizes, key=lambda of: (-int(sizes[of].sum()), of)):
        growth = ((totals + sizes[key]) ** 2 - totals**2).sum(axis=1)
        folds[key] = int(np.argmin(growth))
        totals[folds[key]] += sizes[key]
    return {page_name: folds[root(("page", page_name))] for page_name, _ in clips.values()}


@dataclass(frozen=True)
class ClipScore:
    """The score of one clip, by what has learnt nothing from its page."""

    clip: str
    page: str
    fake: bool
    score: float
    footage: str = ""


@dataclass(frozen=True)
class Figures:
    """AUC over all clips, shares of manipulated clips found at :data:`FALSE_FLAGS`, AUC inside pages."""

    auc: float
    found: tuple[float, ...]
    inside: float

    @property
    def values(self) -> tuple[float, ...]:
        """All figures in order."""
        return self.auc, *self.found, self.inside


def auc(fake: Floats, real: Floats) -> float:
    """Area under the ROC curve; ties count half."""
    order = np.sort(real)
    below = np.searchsorted(order, fake, "left") + np.searchsorted(order, fake, "right")
    return float(below.mean() / 2 / len(real))


def threshold(real: Floats, share: float) -> float:
    """Return the score that ``share`` of ``real`` exceed, as an element of them."""
    return float(np.quantile(real, 1 - share, method="higher"))


def figures(clips: Sequence[ClipScore]) -> Figures:
    """Measure ``clips``; pages count by the root of the number of their pairs, at most five of a class."""
    fake, real = (np.array([clip.score for clip in clips if clip.fake is label]) for label in (True, False))
    pages: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for clip in clips:
        pages[clip.page][int(clip.fake)].append(clip.score)
    areas, weights = [], []
    for of_real, of_fake in pages.values():
        if of_real and of_fake:
            areas.append(auc(np.array(of_fake), np.array(of_real)))
            weights.append((min(len(of_real), _MOST_OF_CLASS) * min(len(of_fake), _MOST_OF_CLASS)) ** 0.5)
    inside = float(np.average(areas, weights=weights)) if areas else float("nan")
    found = tuple(float((fake > threshold(real, share)).mean()) for share in FALSE_FLAGS)
    return Figures(auc(fake, real), found, inside)


def intervals(clips: Sequence[ClipScore], seed: int = 0) -> list[tuple[float, float]]:
    """Return 95 % intervals of the values of :func:`figures`, of resampled pages."""
    by_page: dict[str, list[ClipScore]] = defaultdict(list)
    for clip in clips:
        by_page[clip.page].append(clip)
    pages, rng, drawn = sorted(by_page), np.random.default_rng(seed), []
    for _ in range(_RESAMPLES):
        sample = [
            ClipScore(clip.clip, f"{number}", clip.fake, clip.score)
            for number, page in enumerate(rng.choice(pages, len(pages)))
            for clip in by_page[page]
        ]
        if len({clip.fake for clip in sample}) == 2:
            drawn.append(figures(sample).values)
    low, high = np.nanquantile(drawn, (0.025, 0.975), axis=0)
    return list(zip(low.tolist(), high.tolist(), strict=True))


# Parts of notes in lower case; the first row that matches counts.
_FOOTAGE: tuple[tuple[str, str], ...] = (
    ("sign language", "sign|lifeprint|wlasl"),
    (
        "film, television and stock",
        "film|movie|tears of steel|series|stock|music|commercial|tv |tv,|television|show|documentary|dolos|"
        "msr-vtt|bbc|news|host|drama|fashion|backstage|youtube",
    ),
    ("studio", "studio|green screen|interview|stimuli"),
    ("webcam and phone", "webcam|phone|selfie|streaming|home video"),
    (
        "driving and source clips",
        r"driv|source|target|ground|gt|original|template|real \(|hdtf|voxceleb|vfhq|nersemble|input",
    ),
)


def footage_of(note: str) -> str:
    """Return the kind of footage of a real clip from its note."""
    text = note.lower()
    return next((kind for kind, parts in _FOOTAGE if re.search(parts, text)), "other")
