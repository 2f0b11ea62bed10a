"""Model cards: what a model is, how its input is prepared, and what was measured with it."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from detector.schema.base import Sha256, Value
from detector.schema.model import Model, OnnxNetwork, Platt, Range, Rate, SecondLookModel

# A name is also a file's, and part of an address: nothing in it can lead elsewhere.
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
# Ends of names of figures that another calibration of the same scores would change.
_OF_CALIBRATION = ("expected calibration error", "Brier score", "accuracy at 0.5")


Positive = Annotated[float, Field(gt=0)]
Agreement = Annotated[
    float | None,
    Field(
        gt=0,
        description="standard deviations by which the two networks may lie apart on whether the inner face "
        "is altered; beyond, they contradict each other; null: any",
    ),
]


class Input(Value):
    """What the network is fed: square crops of ``size`` pixels, RGB in [0, 1], normalised."""

    size: int = Field(ge=32, le=1024)
    mean: tuple[float, float, float]
    std: tuple[Positive, Positive, Positive]


FUSION_INPUTS = (
    "fast",  # the scan, by its name in stored cards
    "inner altered",
    "inner synthesised",
    "head altered",
    "head synthesised",
)
"""What scan and second look give the fusion: the scan's logit, then all of the second network's."""


class FusionHalf(Value):
    """Logistic regression on standardised logits: ``weight`` · (logit − ``centre``) / ``spread`` + ``bias``.

    ``inputs`` are of :data:`FUSION_INPUTS`, in any order.
    """

    inputs: tuple[str, ...]
    centre: tuple[float, ...]
    spread: tuple[Positive, ...]
    weight: tuple[float, ...]
    bias: float

    @model_validator(mode="after")
    def _of_one_length(self) -> Self:
        if len({len(self.inputs), len(self.centre), len(self.spread), len(self.weight)}) != 1:
            raise ValueError("inputs, centre, spread and weight differ in length")
        if unknown := [name for name in self.inputs if name not in FUSION_INPUTS]:
            raise ValueError(f"no input of the fusion: {unknown[0]!r}. Those are {', '.join(FUSION_INPUTS)}")
        return self


class Contrast(Value):
    """What standing out from the rest of its track counts (:mod:`detector.scoring.person_look`).

    Where the altered half's logit lies by ``least`` or more above that of the rest of the track, it is raised
    by ``gain`` times what exceeds ``least``.
    """

    least: float = Field(gt=0)
    gain: float = Field(gt=0)

    def amount(self, contrast: float) -> float:
        """By how much logits of such a contrast are raised."""
        return self.gain * (contrast - self.least)


class Bound(Value):
    """A fused logit ``at`` from which on the published one is at least ``published``; below it is less."""

    at: float
    published: float


class PhotographFusion(Value):
    """How photographs are judged: ``probability`` scales each half alone, and the larger logit counts.

    ``bounds``, in rising order, keep the thresholds of a finding and of doubt where few unmanipulated
    photographs reach them, so that ``probability`` can be the share of manipulated ones.
    """

    altered: FusionHalf
    synthesised: FusionHalf
    probability: Platt
    bounds: tuple[Bound, ...] = ()
    agreement: Agreement = None


class NetworkFile(Value):
    """A network of the second look, whose weights lie in a file of its own, and what it is fed."""

    architecture: str
    sha256: Sha256
    input: Input

    def as_card(self, name: str) -> Card:
        """A card for what loads and runs networks; it decides nothing alone."""
        return Card(
            name=name,
            title=name,
            architecture=self.architecture,
            sha256=self.sha256,
            input=self.input,
            temperature=1.0,
            data=(),
            terms="",
            recipe=(),
            figures={},
            domain="",
            limits=(),
        )


class SecondLookCard(NetworkFile):
    """The second look of the model whose weights have the SHA-256 ``of``: ``second-look/MODEL.json``.

    It names the second network, whose weights lie beside it as ``MODEL.safetensors``, and says how its logits
    are fused with the scan's. :mod:`detector.scoring.fusion` is the formula; ``probability`` turns a
    fused logit, of a frame or a mean of them, into a probability; beyond the published logit ``knee`` its
    scale is ``beyond``.
    """

    name: str = Field(pattern=f"^{_NAME.pattern}$")
    of: Sha256
    altered: FusionHalf
    synthesised: FusionHalf
    reserve: float = Field(
        default=0.0, ge=0, description="taken from the synthesised half where both are fused"
    )
    codecs: dict[str, float] = Field(
        default_factory=dict,
        exclude_if=lambda given: not given,
        description="by the name of a codec what it adds to the altered half of unmanipulated footage; it is "
        "taken off, and contrasts are not raised there",
    )
    within: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="share of what the scan's logit of a frame differs from the person's mean that "
        "counts: single frames are noisier than people differ",
    )
    contrast: Contrast | None = Field(default=None, description="null: only the level counts")
    agreement: Agreement = None
    photographs: PhotographFusion | None = Field(default=None, description="null: as videos")
    crops: Platt | None = Field(
        default=None, description="of the scan's logits of ready-made crops; null: as of frames"
    )
    probability: Platt
    knee: float = 0.0
    beyond: float | None = Field(default=None, gt=0, description="null: one scale everywhere")
    domain: str = ""
    limits: tuple[str, ...] = ()
    learnt: tuple[str, ...] = Field(
        default=(), description="generators and methods whose photographs were learnt from, in plain words"
    )
    data: tuple[str, ...] = ()
    recipe: tuple[str, ...] = ()
    figures: dict[str, float] = Field(default_factory=dict, description="of both networks together")
    rates: tuple[Rate, ...] = Field(default=(), description="likewise")

    def as_model(self) -> SecondLookModel:
        """The part that goes into an analysis."""
        return SecondLookModel(
            name=self.name,
            architecture=self.architecture,
            sha256=self.sha256,
            card_sha256=_sha256(self.deciding),
            codecs=dict(self.codecs),
        )

    @property
    def deciding(self) -> dict[str, Any]:
        """What it decides by; the rest describes and measures it."""
        return self.model_dump(mode="json", exclude=_DESCRIBING)


class Card(Value):
    """``models/NAME.json``. The Markdown beside it is generated from this."""

    name: str
    title: str
    architecture: str
    sha256: Sha256
    input: Input
    temperature: float = Field(gt=0, description="logits are divided by this before the sigmoid")
    segment: Platt | None = Field(default=None, description="calibration of a segment's mean logit")
    exhibit: Platt | None = Field(default=None, description="calibration of an exhibit's")
    data: tuple[str, ...]
    terms: str
    recipe: tuple[str, ...]
    figures: dict[str, float]
    domain: str
    limits: tuple[str, ...]
    learnt: tuple[str, ...] = Field(default=(), description="see the second look's")
    onnx: OnnxNetwork | None = Field(
        default=None,
        exclude_if=lambda given: given is None,
        description="of a network in an ONNX file, whose architecture is free text; null: one of Reelproof's",
    )
    rates: tuple[Rate, ...] = Field(default=(), description="error rates with intervals")
    validated: tuple[Range, ...] = Field(default=(), description="what the measured data covered")
    second_look: SecondLookCard | None = Field(
        default=None, exclude=True, description="from a file of its own; null: this network decides alone"
    )

    def as_model(self) -> Model:
        """The part of the card that goes into an analysis.

        With a second look, what was measured is that of all networks together, of single crops where it has
        a fusion for them. Crops that it calibrates anew keep none of the figures of their calibration before.
        """
        shared = set(Model.model_fields) - {"second_look"}
        model = Model(**{name: value for name, value in self if name in shared})
        second = self.second_look
        if second is None:
            return model
        crops = {
            name: value
            for name, value in self.figures.items()
            if " crops" in name and not (second.crops and name.endswith(_OF_CALIBRATION))
        }
        of_crops = second if any(rate.unit == "crops" for rate in second.rates) else self
        told = {
            "second_look": second.as_model(),
            "figures": crops | second.figures,
            "rates": (
                *(rate for rate in second.rates if rate.unit != "crops"),
                *(rate for rate in of_crops.rates if rate.unit == "crops"),
            ),
            "domain": second.domain or self.domain,
            "limits": second.limits or self.limits,
            "learnt": second.learnt or self.learnt,
        }
        return model.model_copy(update=told)

    @property
    def suffix(self) -> str:
        """The ending of the weights' file beside the card."""
        return ".onnx" if self.onnx else ".safetensors"

    @property
    def alone(self) -> Card:
        """The same without a second look."""
        return self.model_copy(update={"second_look": None}) if self.second_look else self

    @property
    def fused(self) -> Card:
        """The same with the calibration of fused logits, which is one for frames, segments and exhibits."""
        return self.model_copy(update={"temperature": 1.0, "segment": None, "exhibit": None})


def is_model_name(text: str) -> bool:
    """Whether ``text`` may name a model: small letters, digits and hyphens, at most 60 in all."""
    return _NAME.fullmatch(text) is not None


# What describes and measures a model, with or without a second look. It decides by all the rest.
_DESCRIBING = {
    *("name", "title", "domain", "limits", "learnt", "data", "terms", "recipe"),
    *("figures", "rates", "validated"),
}


def deciding_sha256(card: Card) -> str:
    """Of all by which a model with its second look decides: not of what describes and measures it."""
    facts = card.model_dump(mode="json", exclude=_DESCRIBING)
    facts["second_look"] = card.second_look.deciding if card.second_look else None
    return _sha256(facts)


def _sha256(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
