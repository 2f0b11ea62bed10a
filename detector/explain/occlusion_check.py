"""A check that a heatmap tells the truth: what it highlights is hidden, and the face scored again.

A deletion test: blur the hottest area covering 15 % of the face, score again, and compare with blurring areas
of the same size and shape elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.explain.occlusion import hide_each
from detector.media.frame import Image
from detector.schema.analysis import RANDOM_AREAS, HideAndRescore
from detector.scoring.explainable import Explainable
from detector.scoring.scorer import Scorer

HIDDEN_AREA = 0.15
_MOST_AREAS, _LEAST_AREAS = 2 * RANDOM_AREAS, 2  # of all maps of one photograph; of one map


def areas_compared(number: int, faces: int) -> tuple[int, ...]:
    """Which of the eight random areas check ``number`` compares with where ``faces`` are explained.

    Each is one more crop for the slowest network, so that several faces of one photograph share what two
    would take. They take turns, so that no area counts more than another over all of them.
    """
    count = min(RANDOM_AREAS, max(_LEAST_AREAS, _MOST_AREAS // max(1, faces)))
    return tuple((number * count + area) % RANDOM_AREAS for area in range(count))


def occlusion_check(
    scorer: Scorer,
    face: Explainable,
    heat: NDArray[np.float32],
    seed: int,
    areas: Sequence[int] = range(RANDOM_AREAS),
) -> HideAndRescore:
    """Blur the hottest 15 % of what was seen of ``face``, and for comparison that shape in random areas.

    ``areas`` are the numbers of those (:func:`areas_compared`).
    """
    size = heat.shape[0]
    rng = np.random.default_rng(seed)
    # Equal values, as in a map without any heat, go in random order and not from the top.
    order = np.lexsort((rng.random(size * size), heat.ravel()))
    mask = np.zeros(size * size, np.float32)
    mask[order[-round(HIDDEN_AREA * size * size) :]] = 1
    mask = mask.reshape(size, size)
    # Rolling wraps round the edge, so each random area has exactly the same size.
    moves = rng.integers(size // 8, size - size // 8, (RANDOM_AREAS, 2))[list(areas)]
    elsewhere = [np.roll(mask, tuple(map(int, move)), axis=(0, 1)) for move in moves]
    before, (hidden, *others) = face.logit, face.logits(_hidden_in(face, [mask, *elsewhere]))
    return HideAndRescore(
        area=float(mask.mean()),
        probability=scorer.probability(before),
        hidden_highlight=scorer.probability(hidden),
        hidden_random=float(np.mean([scorer.probability(logit) for logit in others])),
        drop_highlight=float(before - hidden),
        drop_random=float(before - np.mean(others)),
        areas=len(areas),
    )


def _hidden_in(face: Explainable, masks: Sequence[NDArray[np.float32]]) -> list[list[Image]]:
    """Of each crop of ``face`` a copy for each of ``masks``, which may be larger than the crop."""
    copies = []
    for one in face.seen:
        size = one.crop.shape[:2]
        fitting = [cv2.resize(m, size, interpolation=cv2.INTER_AREA) if m.shape != size else m for m in masks]
        copies.append(hide_each(one.crop, fitting))
    return copies
