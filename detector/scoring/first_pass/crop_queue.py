"""Crops on their way through one network, and the features it has made of those before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detector.scoring.first_pass.coarse_to_fine import CoarseToFine, NumberedCrop
from detector.scoring.scorer import Scorer


class CropQueue:
    """Crops that wait for ``scorer``. Where it is calm about a track it is not given every one (``coarse``).

    Crops are numbered in order, from 0 after each :meth:`take_features`.
    """

    def __init__(self, scorer: Scorer, coarse: CoarseToFine | None = None) -> None:
        self.scorer = scorer
        self._coarse = coarse
        self._waiting: list[NumberedCrop] = []
        self._scored: list[tuple[list[int], NDArray[np.float32]]] = []  # numbers and features, by batch

    @property
    def is_coarse(self) -> bool:
        """Whether some crops are not scored, whose features are then no numbers."""
        return self._coarse is not None

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def offer(self, crop: NumberedCrop, track: int, time: float, frame: int) -> None:
        """Take the next crop, of a usable face of ``track`` in the sampled frame of this number."""
        self._waiting += [crop] if self._coarse is None else self._coarse.offer(crop, track, time, frame)

    def take_batch(self) -> list[NumberedCrop]:
        """All that wait."""
        batch, self._waiting = self._waiting, []
        return batch

    def put_features(self, batch: Sequence[NumberedCrop], features: Sequence[NDArray[np.float32]]) -> None:
        """Take the ``features``, (d,) each, of a ``batch``."""
        if not batch:
            return
        numbers, stacked = [crop.number for crop in batch], np.stack(features)
        self._scored.append((numbers, stacked))
        if self._coarse is not None:
            self._waiting += self._coarse.scored(numbers, stacked[:, 0])

    def flush(self) -> None:
        """No other crop will come: none waits for a later one any more."""
        if self._coarse is not None:
            self._waiting += self._coarse.flush()

    def take_features(self, count: int) -> NDArray[np.float32]:
        """The features (count, d) made since the last time; no numbers of crops that were not scored."""
        width = self._scored[0][1].shape[1] if self._scored else 1
        taken = np.full((count, width), np.nan, np.float32)
        for numbers, features in self._scored:
            taken[numbers] = features
        self._scored = []
        return taken
