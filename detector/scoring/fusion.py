"""Fuse the logits of the scan and of the second look into one, and tell heatmaps which networks decided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Self, cast

import numpy as np
from numpy.typing import NDArray

from detector.backends.explaining import ExplainedNetwork, PatchGraphs, PatchLook, network_to_explain
from detector.faces.crop import HEAD, INNER, CropSquare
from detector.media.frame import Image
from detector.models.card import FUSION_INPUTS, Bound, Contrast, FusionHalf, Input, SecondLookCard
from detector.models.loaded import LoadedModel
from detector.networks.graphs import outputs_of

if TYPE_CHECKING:
    import torch

    from detector.networks.base import Network


Floats = NDArray[np.float64]

# Arrays called inputs (n, 5) have one column for each of FUSION_INPUTS.
SCAN = 0
"""The scan's column of inputs."""
SECOND_NETWORK = slice(SCAN + 1, len(FUSION_INPUTS))
"""The second network's columns of inputs, all after the scan's: its logits (m, 4) of a face, in order."""
SECOND_LOGITS = len(FUSION_INPUTS[SECOND_NETWORK])
_SAME_QUESTION = (SCAN, FUSION_INPUTS.index("inner altered"))  # is the inner face altered?
_LEAST, _MOST = -6.0, 8.0  # standard deviations
_HELD = 0.05  # slope beyond a bound


def fusion_inputs(scan: Floats, second: Floats) -> Floats:
    """Combine the scan's logits (n,) and the second network's (n, 4) or (4,) into inputs (n, 5)."""
    out = np.empty((len(scan), len(FUSION_INPUTS)))
    out[:, SCAN], out[:, SECOND_NETWORK] = scan, second
    return out


def second_logits_of(framing: int) -> tuple[int, ...]:
    """Return the columns of the second network's logits (m, 4) that are read from ``framing``."""
    return outputs_of(framing)


def inputs_of(framing: int) -> tuple[int, ...]:
    """Return the columns of the inputs that the second network reads from ``framing``."""
    return tuple(SECOND_NETWORK.start + column for column in second_logits_of(framing))


@dataclass(frozen=True)
class Half:
    """Constants of one half of the formula: inputs are standardised, weighted and added."""

    columns: tuple[int, ...]  # weights of the inputs
    centre: Floats
    spread: Floats
    weight: Floats
    bias: float

    @classmethod
    def of(cls, card: FusionHalf) -> Self:
        """Build it from a card."""
        columns = tuple(map(FUSION_INPUTS.index, card.inputs))
        return cls(columns, np.array(card.centre), np.array(card.spread), np.array(card.weight), card.bias)

    def logit(self, inputs: Floats) -> Floats:
        """Compute logits (n,) from inputs (n, 5)."""
        return standardise(inputs[:, self.columns], self.centre, self.spread) @ self.weight + self.bias


def standardise(values: Floats, centre: Floats, spread: Floats) -> Floats:
    """Return ``values`` (n, d) in standard deviations, within bounds."""
    out: Floats = ((values - centre) / spread).clip(_LEAST, _MOST)
    return out


@dataclass(frozen=True)
class Fusion:
    """The formula that fuses the logits of both networks."""

    altered: Half
    synthesised: Half
    scale: float = 1.0
    offset: float = 0.0
    knee: float = 0.0
    beyond: float | None = None
    reserve: float = 0.0
    contrast: Contrast | None = None
    within: float = 1.0  # see the card
    bounds: tuple[Bound, ...] = ()
    agreement: float | None = None  # see the card

    @classmethod
    def of(cls, card: SecondLookCard, still: bool = False, codec: str = "") -> Self:
        """Read the formula from a card, for videos in ``codec`` or for photographs if ``still``."""
        if still and card.photographs is not None:
            own = card.photographs
            return cls(
                Half.of(own.altered),
                Half.of(own.synthesised),
                own.probability.scale,
                own.probability.offset,
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
        """Return inputs (5,) of an average unmanipulated face."""
        out = np.zeros(len(FUSION_INPUTS))
        for half in (self.synthesised, self.altered):
            out[list(half.columns)] = half.centre
        return out

    @property
    def without_second_look(self) -> Floats:
        """Return inputs (5,) by which the synthesised half says nothing: it never exceeds the altered one.

        The centre of that half may be its threshold, which is no average face.
        """
        out, half = self.neutral, self.synthesised
        lead = float(half.logit(out[None])[0]) - self.reserve - float(self.altered.logit(out[None])[0])
        if lead > 0:
            steepest = int(np.argmax(np.abs(half.weight)))
            out[half.columns[steepest]] -= lead * half.spread[steepest] / half.weight[steepest]
        return out

    def apart(self, inputs: Floats) -> Floats:
        """Return by how many standard deviations (n,) the scan exceeds *inner altered*."""
        half = self.altered
        deviations = standardise(inputs[:, half.columns], half.centre, half.spread)
        first, second = (deviations[:, half.columns.index(column)] for column in _SAME_QUESTION)
        difference: Floats = first - second
        return difference

    @property
    def altered_framings(self) -> tuple[int, ...]:
        """Return the framings that the altered half's inputs are read from."""
        heads = any(FUSION_INPUTS[column].startswith("head") for column in self.altered.columns)
        return (INNER, HEAD) if heads else (INNER,)

    def lead(self, inputs: Floats) -> Floats:
        """Return by how much (n,) the altered half exceeds the other one, as both enter the maximum."""
        lead: Floats = self.altered.logit(inputs) - (self.synthesised.logit(inputs) - self.reserve)
        return lead

    def contradicts(self, inputs: Floats) -> NDArray[np.bool_]:
        """Return where (n,) the two networks contradict each other on the same question and pixels."""
        if self.agreement is None or not set(_SAME_QUESTION) <= set(self.altered.columns):
            return np.zeros(len(inputs), bool)
        beyond: NDArray[np.bool_] = np.abs(self.apart(inputs)) > self.agreement
        return beyond

    def halves(self, inputs: Floats, raised: Floats | float = 0.0) -> tuple[Floats, Floats]:
        """Compute the published logits of both halves; the larger one is that of both together.

        ``raised`` is as for :meth:`logit`.
        """
        altered = self._published(self.altered.logit(inputs) + raised)
        return altered, self._published(self.synthesised.logit(inputs) - self.reserve)

    def logit(self, inputs: Floats, raised: Floats | float = 0.0) -> Floats:
        """Compute published logits (n,) from inputs (n, 5); ``raised`` (n,) is added to the altered half.

        The larger half counts, so that neither can be flagged for what the other adds to it.
        """
        logits: Floats = np.maximum(*self.halves(inputs, raised))
        return logits

    def unpublished(self, logit: float) -> float:
        """Return the logit of a half whose published logit is given, for a formula without bounds."""
        if self.beyond is not None and logit > self.knee:
            logit = self.knee + (logit - self.knee) * self.scale / self.beyond
        return (logit - self.offset) / self.scale

    def _published(self, logits: Floats) -> Floats:
        out: Floats = self.scale * logits + self.offset
        for bound in self.bounds:
            # A small slope preserves the order of values beyond the bound.
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

    ``network`` explains its score: in torch, or as graphs without it; None for an ONNX file, which yields
    only scores. ``output`` is the output that decided; None if there is only one.
    """

    crop: Image
    network: Network | ExplainedNetwork | None
    input: Input
    output: int | None = None

    @cached_property
    def look(self) -> PatchLook:
        """What the graphs of a transformer say of the crop: maps and check share one pass."""
        assert isinstance(self.network, PatchGraphs) and self.output is not None
        return self.network.look(self.crop, self.output)


@dataclass(frozen=True, eq=False)
class DecidingCrop:
    """What one network saw of a face, and what it contributes to the fused logit.

    ``run`` computes the logits (n, c) of changed copies, which the fusion reads from ``outputs`` (None if the
    network has one output), and ``answer`` (1, c) are those of the crop as it is. ``slope`` is the change of
    the fused logit for each unit of the deciding output, and ``share`` the share of the crop in what all
    crops together contribute. ``window`` is its name in :data:`~detector.faces.windows.WINDOWS`, if it is
    one.
    """

    seen: SeenCrop
    square: CropSquare
    outputs: tuple[int, ...] | None
    run: Callable[[Sequence[Image]], Floats]
    answer: Floats
    slope: float
    share: float
    is_scan: bool
    framing: int
    window: str | None = None

    @cached_property
    def tokens(self) -> torch.Tensor:
        """The tokens (1, 1 + p², d) of the crop, for a network in torch that can leave patches out."""
        import torch

        from detector.backends.torch import prepare_images

        network = cast("Network", self.seen.network)
        device = next(network.parameters()).device
        with torch.no_grad():
            return network.lower_tokens(prepare_images([self.seen.crop], self.seen.input, device))

    def output_logits(self, crops: Sequence[Image]) -> Floats:
        """Return the deciding output's logits (n,) of changed copies."""
        column = (
            0 if self.outputs is None or self.seen.output is None else self.outputs.index(self.seen.output)
        )
        logits: Floats = self.run(crops)[:, column]
        return logits


@dataclass(frozen=True)
class Explainable:
    """A face as each deciding network saw it, and the function that scores changed copies.

    ``seen`` are the crops of ``square`` that the map shows. ``logits`` computes the logits (n,) of changed
    copies of them, n for each network; everything outside the square stays as it was.

    With several networks, ``deciding`` are all crops that raised the score, the strongest first, in squares
    of their own, and ``fuse`` computes the logits (n,) from the logits (n, c) of changed copies of each.
    ``altered`` states which question they answer.
    """

    square: CropSquare
    seen: tuple[SeenCrop, ...]
    logit: float
    logits: Callable[[Sequence[Sequence[Image]]], Floats]
    deciding: tuple[DecidingCrop, ...] = ()
    fuse: Callable[[Sequence[Floats]], Floats] | None = None
    altered: bool | None = None

    @property
    def shown(self) -> tuple[DecidingCrop, ...]:
        """The crops that the map explains: the strongest alone if it contributes more than two thirds."""
        return self.deciding[:1] if self.deciding[0].share > _ALONE else self.deciding


_ALONE = 2 / 3
_STEP = 0.1  # of a logit, for slopes


class NetworkPart(NamedTuple):
    """The view of one network on a face: ``run`` computes its logits (n, c) of the fusion's inputs
    ``columns``.

    ``framing`` is :data:`~detector.networks.graphs.INNER` or ``HEAD``. Several parts may have one column,
    which is their sum; ``crop`` is what they see, if not ``square`` cut from the frame; ``window`` is its
    name.
    """

    columns: tuple[int, ...]
    model: LoadedModel
    outputs: tuple[int, ...] | None  # output of the network for each column; None if it has one output
    framing: int
    square: CropSquare
    run: Callable[[Sequence[Image]], Floats]
    crop: Image | None = None
    window: str | None = None

    def output(self, column: int) -> int | None:
        """Return which output of the network is the fusion's input ``column``."""
        return None if self.outputs is None else self.outputs[self.columns.index(column)]

    def answer(self, seen: SeenCrop, column: int) -> Floats:
        """Return the logits (1, c) of what the part has ``seen``.

        Graphs that make maps as well give that of ``column`` alone, rounded as their maps are; others are 0.
        """
        if not isinstance(seen.network, PatchGraphs):
            return self.run([seen.crop])
        out = np.zeros((1, len(self.columns)))
        out[0, self.columns.index(column)] = seen.look.logit
        return out


def explainable_of_fused(
    fusion: Fusion,
    inputs: Floats,
    raised: Floats,
    parts: Sequence[NetworkPart],
    crop: Callable[[NetworkPart], tuple[Image, CropSquare]],
) -> Explainable:
    """Return the parts of a face, by each network that raised its score, the strongest first.

    ``inputs`` (1, 5) are the fusion's; ``raised`` (1,) raises the altered half where something stands out
    from the rest of the track; ``crop`` returns what a part sees and where.
    """
    logit = float(fusion.logit(inputs, raised)[0])

    def without(*columns: int) -> float:
        """Return the fused logit with neutral inputs in ``columns``."""
        silent = inputs.copy()
        silent[0, columns] = fusion.neutral[list(columns)]
        return float(fusion.logit(silent, raised)[0])

    def slope(column: int) -> float:
        steps = np.tile(inputs, (2, 1))
        steps[:, column] += (-_STEP, _STEP)
        low, high = fusion.logit(steps, np.repeat(raised, 2))
        return float(high - low) / (2 * _STEP)

    half = fusion.altered if fusion.lead(inputs)[0] + raised[0] >= 0 else fusion.synthesised
    falls = {column: max(0.0, logit - without(column)) for column in half.columns}
    by_weight = sorted(falls, key=lambda column: -falls[column])
    chosen = [column for column in by_weight if falls[column] > 0] or by_weight[:1]
    total = sum(falls.values()) or 1.0
    deciding, columns = [], []
    for column in chosen:
        counts = fusion.within if column == SCAN else 1.0
        having = [part for part in parts if column in part.columns]
        cut = [crop(part) for part in having]
        seen = [
            SeenCrop(image, network_to_explain(part.model), part.model.card.input, part.output(column))
            for part, (image, _) in zip(having, cut, strict=True)
        ]
        answers = [part.answer(own, column) for part, own in zip(having, seen, strict=True)]
        raising = [
            max(0.0, float(answer[0, part.columns.index(column)]))
            for part, answer in zip(having, answers, strict=True)
        ]
        for part, own, (_, square), answer, raises in zip(having, seen, cut, answers, raising, strict=True):
            share = raises / sum(raising) if sum(raising) else 1 / len(seen)
            if len(seen) > 1 and not share:
                continue  # a window that lowered the score is no part of what raised it
            deciding.append(
                DecidingCrop(
                    own,
                    square,
                    part.outputs,
                    part.run,
                    answer,
                    counts * slope(column),
                    share * falls[column] / total,
                    column == SCAN,
                    part.framing,
                    part.window,
                )
            )
            columns.append(part.columns)
    order = sorted(range(len(deciding)), key=lambda place: -deciding[place].share)
    deciding, columns = [deciding[place] for place in order], [columns[place] for place in order]

    def fuse(answers: Sequence[Floats]) -> Floats:
        rows = np.tile(inputs, (len(answers[0]), 1))
        for of_part, decider, changed in zip(columns, deciding, answers, strict=True):
            counts = fusion.within if decider.is_scan else 1.0
            rows[:, of_part] += counts * (changed - decider.answer)
        return fusion.logit(rows, np.repeat(raised, len(rows)))

    def logits(changed: Sequence[Sequence[Image]]) -> Floats:
        copies = iter(changed)
        answers = []
        for decider in deciding:
            if decider not in of_map:
                answers.append(np.repeat(decider.answer, len(changed[0]), axis=0))
                continue
            answer = decider.run(next(copies))
            if isinstance(decider.seen.network, PatchGraphs):
                # Its answer is rounded as its maps are, and of one column: only the change counts.
                answer = answer + decider.answer - decider.run([decider.seen.crop])
            answers.append(answer)
        return fuse(answers)

    shown = deciding[:1] if deciding[0].share > _ALONE else deciding
    largest = max(shown, key=lambda decider: decider.square.side)
    of_map = [decider for decider in shown if decider.framing == largest.framing]
    return Explainable(
        largest.square,
        tuple(decider.seen for decider in of_map),
        logit,
        logits,
        tuple(deciding),
        fuse,
        half is fusion.altered,
    )
