"""The most likely path through the times of two files, by dynamic programming (Viterbi)."""

from __future__ import annotations

import numpy as np

from detector.comparison.affine_view import Places
from detector.comparison.alignment.similarity import Matrix
from detector.comparison.strips import Floats

NOWHERE = -1
_SHARPNESS = 30.0  # of similarities, on the scale of the costs below
_STEP_COST = 0.5  # for each step or frame by which two times do not run alike
_JUMP_COST = 12.0  # of a jump within the reference; half of it for leaving it or coming back
LEAST_SIMILARITY = 0.42  # below it a picture rather shows nothing of the reference


def best_path(similarities: Matrix, seen: Floats | None, known: Floats | None) -> Places:
    """For each row of ``similarities`` (n, m) its place among the columns, or :data:`NOWHERE`.

    ``seen`` (n,) and ``known`` (m,) are the times of rows and columns; None for equal steps.
    """
    count, width = similarities.shape
    gains = _SHARPNESS * similarities.astype(np.float64)
    idle = _SHARPNESS * LEAST_SIMILARITY
    known_steps = np.ones(width) if known is None else np.diff(known, prepend=known[0])
    usual = float(np.median(known_steps[1:])) if width > 1 else 1.0
    usual = usual or 1.0
    # The best sums so far: of paths that end at each column, and of those that end nowhere.
    score, lost = gains[0].copy(), idle
    # Where each of these paths was a row before.
    came = np.empty((count, width), np.int32)
    came_lost = np.empty(count, np.int32)
    for row in range(1, count):
        step = 1.0 if seen is None else float(seen[row] - seen[row - 1])
        most = int(np.ceil(2 * step / usual)) + 1 if known is not None else 2
        top = int(score.argmax())
        best = np.full(width, max(score[top] - _JUMP_COST, lost - _JUMP_COST / 2))
        from_ = np.full(width, top if score[top] - _JUMP_COST >= lost - _JUMP_COST / 2 else NOWHERE, np.int32)
        moved = np.zeros(width)
        for back in range(min(most, width - 1) + 1):
            if back:
                moved[back:] += known_steps[1 : width - back + 1]
            cost = _STEP_COST * np.abs(moved[back:] - step) / usual
            value = score[: width - back] - cost
            better = value > best[back:]
            best[back:][better] = value[better]
            from_[back:][better] = np.flatnonzero(better)
        stay, leave = lost, score[top] - _JUMP_COST / 2
        came_lost[row] = NOWHERE if stay >= leave else top
        lost = max(stay, leave) + idle
        came[row] = from_
        score = best + gains[row]
    path = np.empty(count, np.intp)
    at = int(score.argmax()) if score.max() >= lost else NOWHERE
    for row in range(count - 1, -1, -1):
        path[row] = at
        if row:
            at = int(came_lost[row]) if at == NOWHERE else int(came[row, at])
    return path
