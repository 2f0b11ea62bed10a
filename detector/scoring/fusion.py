"""Fuse the logits of the scan and of the second look into one, and tell heatmaps which networks decided."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from detector.faces.crop import HEAD, INNER, CropSquare
from detector.media.frame import Image
from detector.models.card import FUSION_INPUTS, Bound, Contrast, FusionHalf, Input, SecondLookCard
from detector.models.loaded import LoadedModel
from detector.networks.graphs import outputs_of

if TYPE_CHECKING:
    from detector.networks.base import Network


Floats = NDArray[np.float64]

# What is called inputs (n, 5) has a column for each of FUSION_INPUTS.
SCAN = 0
"""The scan's column of inputs."""
SECOND_NETWORK = slice(SCAN + 1, len(FUSION_INPUTS))
"""The second network's columns of inputs, all after the scan's: its logits (m, 4) of a face, in order."""
SECOND_LOGITS = len(FUSION_INPUTS[SECOND_NETWORK])
_SAME_QUESTION = (SCAN, FUSION_INPUTS.index("inner altered"))  # is the inner face altered?
_LEAST, _MOST = -6.0, 8.0  # standard deviations
_HELD = 0.05  # slope of what a bound holds back


def fusion_inputs(scan: Floats, second: Floats) -> Floats:
    """The scan's logits (n,) and the second network's (n, 4), or one row (4,) of these, as inputs (n, 5)."""
    out = np.empty((len(scan), len(FUSION_INPUTS)))
    out[:, SCAN], out[:, SECOND_NETWORK] = scan, second
    return out


def second_logits_of(framing: int) -> tuple[int, ...]:
    """Which of the second network's logits (m, 4) are read from ``framing``.

    They lie as the network gives them for footage; among the inputs they are :data:`SECOND_NETWORK`.
    """
    return outputs_of(framing)


def inputs_of(framing: int) -> tuple[int, ...]:
    """Which columns of the inputs are read from ``framing`` by the second network."""
    return tuple(SECOND_NETWORK.start + column for column in second_logits_of(framing))


@dataclass(frozen=True)
class Half:
    """Constants of one half of the formula: inputs are standardised, weighted, added."""

    columns: tuple[int, ...]  # of the inputs
    centre: Floats
    spread: Floats
    weight: Floats
    bias: float

    @classmethod
    def of(cls, card: FusionHalf) -> Self:
        """What a card says."""
        columns = tuple(map(FUSION_INPUTS.index, card.inputs))
        return cls(columns, np.array(card.centre), np.array(card.spread), np.array(card.weight), card.bias)

    def logit(self, inputs: Floats) -> Floats:
        """Inputs (n, 5) to logits (n,)."""
        return standardised(inputs[:, self.columns], self.centre, self.spread) @ self.weight + self.bias


def standardised(values: Floats, centre: Floats, spread: Floats) -> Floats:
    """``values`` (n, d) in standard deviations, within bounds."""
    out: Floats = ((values - centre) / spread).clip(_LEAST, _MOST)
    return out


@dataclass(frozen=True)
class Fusion:
    """The whole formula."""

    altered: Half
    synthesised: Half
    scale: float = 1.0
    offset: float = 0.0
    knee: float = 0.0
    beyond: float | None = None
    reserve: float = 0.0
    contrast: Contrast | None = None
    within: float = 1.0  # see the card
    larger: bool = False  # of both halves, not their soft maximum
    bounds: tuple[Bound, ...] = ()
    agreement: float | None = None  # see the card

    @classmethod
    def of(cls, card: SecondLookCard, still: bool = False, codec: str = "") -> Self:
        """What a card says of videos in ``codec``; of photographs if ``still``, where it tells them apart."""
        if still and card.photographs is not None:
            own = card.photographs
            return cls(
                Half.of(own.altered),
                Half.of(own.synthesised),
                own.probability.scale,
                own.probability.offset,
                larger=True,
                bounds=own.bounds,
                agreement=own.agreement,
            )
        platt, altered = card.probability, Half.of(card.altered)
        return cls(
            replace(altered, bias=altered.bias - card.codecs.get(codec, 0.0)),
            Half.of(card.synthesised),
            platt.scale,
            platt.offset,
            card.knee,
            card.beyond,
            card.reserve,
            None if codec in card.codecs else card.contrast,
            card.within,
            agreement=card.agreement,
        )

    @property
    def neutral(self) -> Floats:
        """Inputs (5,) that say nothing: those of unmanipulated faces on average."""
        out = np.zeros(len(FUSION_INPUTS))
        for half in (self.synthesised, self.altered):
            out[list(half.columns)] = half.centre
        return out

    def apart(self, inputs: Floats) -> Floats:
        """By how many standard deviations (n,) the scan lies above *inner altered*."""
        half = self.altered
        each = standardised(inputs[:, half.columns], half.centre, half.spread)
        first, second = (each[:, half.columns.index(column)] for column in _SAME_QUESTION)
        difference: Floats = first - second
        return difference

    @property
    def altered_framings(self) -> tuple[int, ...]:
        """The framings that the altered half's inputs are read from."""
        heads = any(FUSION_INPUTS[column].startswith("head") for column in self.altered.columns)
        return (INNER, HEAD) if heads else (INNER,)

    def lead(self, inputs: Floats) -> Floats:
        """By how much (n,) the altered half exceeds the other, as both enter the maximum."""
        lead: Floats = self.altered.logit(inputs) - (self.synthesised.logit(inputs) - self.reserve)
        return lead

    def contradicts(self, inputs: Floats) -> NDArray[np.bool_]:
        """Where (n,) the two networks contradict each other on the same question about the same pixels."""
        if self.agreement is None or not set(_SAME_QUESTION) <= set(self.altered.columns):
            return np.zeros(len(inputs), bool)
        beyond: NDArray[np.bool_] = np.abs(self.apart(inputs)) > self.agreement
        return beyond

    def halves(self, inputs: Floats, raised: Floats | float = 0.0) -> tuple[Floats, Floats]:
        """Inputs (n, 5) to the published logits of both halves; the larger is that of both together.

        ``raised`` is as of :meth:`logit`.
        """
        fused = self.logit(inputs, raised)
        altered = np.minimum(self._published(self.altered.logit(inputs) + raised), fused)
        synthesised = np.minimum(self._published(self.synthesised.logit(inputs)), fused)
        larger = altered >= synthesised
        return np.where(larger, fused, altered), np.where(larger, synthesised, fused)

    def logit(self, inputs: Floats, raised: Floats | float = 0.0) -> Floats:
        """Inputs (n, 5) to published logits (n,); ``raised`` (n,) is added to the altered half."""
        synthesised = self.synthesised.logit(inputs) - self.reserve
        both: Floats = (np.maximum if self.larger else np.logaddexp)(
            self.altered.logit(inputs) + raised, synthesised
        )
        return self._published(both)

    def unpublished(self, logit: float) -> float:
        """The logit of a half of which this is the published one; of a formula without bounds."""
        if self.beyond is not None and logit > self.knee:
            logit = self.knee + (logit - self.knee) * self.scale / self.beyond
        return (logit - self.offset) / self.scale

    def _published(self, logits: Floats) -> Floats:
        out: Floats = self.scale * logits + self.offset
        for bound in self.bounds:
            # Sloping a little, so that what is held back keeps its order.
            line = bound.published + _HELD * (logits - bound.at)
            out = np.where(logits >= bound.at, np.maximum(out, line), np.minimum(out, line))
        if self.beyond is None:
            return out
        steeper: Floats = np.minimum(out, self.knee) + np.maximum(out - self.knee, 0) * (
            self.beyond / self.scale
        )
        return steeper


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

    ``framing`` is :data:`~detector.faces.crop.INNER` or ``HEAD``.
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
