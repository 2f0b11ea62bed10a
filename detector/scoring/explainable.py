"""What a heatmap has to explain: the crops of a face that the deciding networks saw.

A fused score answers two questions, *altered* and *synthesised*, about two squares, the inner face and the
whole head. What counts is the question and the square without whose answers the score would fall most. The
inner face's *altered* is answered by two networks, the others by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from detector.faces.crop import CropSquare
from detector.faces.framing import HEAD, INNER
from detector.media.frame import Image
from detector.models.card import Input
from detector.models.loaded import LoadedModel
from detector.scoring.fusion import SCAN, Floats, Fusion

if TYPE_CHECKING:
    from detector.networks.base import Network


@dataclass(frozen=True)
class SeenCrop:
    """What one network saw of a face.

    ``network`` is None where it is in an ONNX file: only its scores can be had. ``output`` is that of the
    network's outputs which decided, or None for its only one.
    """

    crop: Image
    network: Network | None
    input: Input
    output: int | None = None


@dataclass(frozen=True)
class Explainable:
    """A face in a square of a frame, as each network that decided on it saw it, and their common logit.

    ``logits`` gives the logits (n,) of changed copies of these crops, n for each network; all that does not
    depend on the square stays as it is.
    """

    square: CropSquare
    seen: tuple[SeenCrop, ...]
    logit: float
    logits: Callable[[Sequence[Sequence[Image]]], Floats]


class NetworkPart(NamedTuple):
    """What one network sees of a face: ``run`` gives its logits (n, c) of the fusion's inputs ``columns``.

    ``framing`` is :data:`~detector.faces.framing.INNER` or ``HEAD``.
    """

    columns: tuple[int, ...]
    model: LoadedModel
    outputs: tuple[int, ...] | None  # of the network, one for each column; None: it has one
    framing: int
    square: CropSquare
    run: Callable[[Sequence[Image]], Floats]

    def output(self, column: int) -> int | None:
        """Which of the network's outputs is the fusion's input ``column``."""
        return None if self.outputs is None else self.outputs[self.columns.index(column)]


class _Answer(NamedTuple):
    column: int  # of the fusion's inputs
    part: NetworkPart
    crop: Image
    square: CropSquare

    def seen(self) -> SeenCrop:
        card = self.part.model.card
        return SeenCrop(self.crop, self.part.model.network, card.input, self.part.output(self.column))


def explainable_of_fused(
    fusion: Fusion,
    inputs: Floats,
    raised: Floats,
    parts: Sequence[NetworkPart],
    crop: Callable[[NetworkPart], tuple[Image, CropSquare]],
) -> Explainable:
    """What was seen of a face whose fusion's ``inputs`` are (1, 5), by each network that raised its score.

    The one that raised it most comes first. By ``raised`` (1,) the altered half is raised where something
    stands out from the rest of the track; ``crop`` gives what a part sees and where. What is told of other
    squares stays as it is.
    """
    logit = float(fusion.logit(inputs, raised)[0])

    def without(*columns: int) -> float:
        """The fused logit if the inputs of ``columns`` said nothing."""
        silent = inputs.copy()
        silent[0, columns] = fusion.neutral[list(columns)]
        return float(fusion.logit(silent, raised)[0])

    by_column = {column: part for part in parts for column in part.columns}
    decided = min(_questions(fusion, by_column), key=lambda columns: without(*columns))
    by_weight = sorted(decided, key=without)
    chosen = [column for column in by_weight if without(column) < logit] or by_weight[:1]
    answers = [_Answer(column, by_column[column], *crop(by_column[column])) for column in chosen]
    as_they_are = [one.part.run([one.crop]) for one in answers]

    def logits(changed: Sequence[Sequence[Image]]) -> Floats:
        rows = np.tile(inputs, (len(changed[0]), 1))
        for one, before, copies in zip(answers, as_they_are, changed, strict=True):
            counts = fusion.within if one.column == SCAN else 1.0
            rows[:, one.part.columns] += counts * (one.part.run(copies) - before)
        return fusion.logit(rows, raised)

    return Explainable(answers[0].square, tuple(one.seen() for one in answers), logit, logits)


def _questions(fusion: Fusion, parts: Mapping[int, NetworkPart]) -> Iterator[tuple[int, ...]]:
    """The fusion's inputs that answer one question about one square."""
    for half in (fusion.altered, fusion.synthesised):
        for framing in (INNER, HEAD):
            columns = tuple(column for column in half.columns if parts[column].framing == framing)
            if columns:
                yield columns
