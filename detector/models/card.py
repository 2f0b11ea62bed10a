"""Model cards: what a model is, how its input is prepared, and what was measured with it."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from detector.schema.base import Sha256, Value, optional
from detector.schema.model import Described, Model, OnnxNetwork, Platt, Range, Rate, SecondLookModel

# A name is part of file names and URLs, so it must not lead elsewhere.
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
# Endings of names of figures that another calibration of the same scores would change.
_CALIBRATION_FIGURES = ("expected calibration error", "Brier score", "accuracy at 0.5")


Positive = Annotated[float, Field(gt=0)]
Agreement = Annotated[
    float | None,
    Field(
        gt=0,
        description="standard deviations by which the two networks may differ on whether the inner face is "
        "altered before they contradict each other; null: unlimited",
    ),
]


class Input(Value):
    """The input of a network: square crops of ``size`` pixels, RGB in [0, 1], normalised."""

    size: int = Field(ge=32, le=1024)
    mean: tuple[float, float, float]
    std: tuple[Positive, Positive, Positive]


# Inputs of the fusion: the logit of the scan (called *fast* in stored cards), then those of the second
# network.
FUSION_INPUTS = ("fast", "inner altered", "inner synthesised", "head altered", "head synthesised")


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
    def _check_lengths(self) -> Self:
        if len({len(self.inputs), len(self.centre), len(self.spread), len(self.weight)}) != 1:
            raise ValueError("inputs, centre, spread and weight differ in length")
        if unknown := [name for name in self.inputs if name not in FUSION_INPUTS]:
            raise ValueError(f"no input of the fusion: {unknown[0]!r}. Those are {', '.join(FUSION_INPUTS)}")
        return self


class Contrast(Value):
    """How intervals that stand out from their track are raised (:mod:`detector.scoring.person_look`).

    If the *altered* logit exceeds that of the rest of the track by more than ``least``, it is raised by
    ``gain`` times the excess over ``least``.
    """

    least: float = Field(gt=0)
    gain: float = Field(gt=0)

    def amount(self, contrast: float) -> float:
        """Return the amount by which logits with this contrast are raised."""
        return self.gain * (contrast - self.least)


class Bound(Value):
    """From the fused logit ``at`` on, the published logit is at least ``published``; below it is less."""

    at: float
    published: float


class PhotographFusion(Value):
    """The fusion for photographs: ``probability`` scales each half alone, and the larger logit counts.

    ``bounds``, in ascending order, keep the thresholds of a finding and of doubt where few unmanipulated
    photographs reach them, so that ``probability`` can be calibrated independently.
    """

    altered: FusionHalf
    synthesised: FusionHalf
    probability: Platt
    bounds: tuple[Bound, ...] = ()
    agreement: Agreement = None


class NetworkFile(Value):
    """A network of the second look, with weights in a file of its own, and its input."""

    architecture: str
    sha256: Sha256
    input: Input

    def as_card(self, name: str) -> Card:
        """Return a card with which the network can be loaded and run."""
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


class SecondLookCard(NetworkFile, Described):
    """The card of a second look, ``second-look/MODEL.json``, for the model with the weights' SHA-256 ``of``.

    It describes the second network, with weights in ``MODEL.safetensors``, and how its logits are fused with
    those of the scan (:mod:`detector.scoring.fusion`). ``probability`` converts a fused logit, of a frame or
    a mean, to a probability; beyond the published logit ``knee`` its scale is ``beyond``.
    """

    name: str = Field(pattern=f"^{_NAME.pattern}$")
    of: Sha256
    altered: FusionHalf
    synthesised: FusionHalf
    reserve: float = optional("subtracted from the *synthesised* half when both are fused", 0.0, ge=0)
    codecs: dict[str, float] = Field(
        default_factory=dict,
        exclude_if=lambda given: not given,
        description="what each codec adds to the *altered* half of unmanipulated footage; it is subtracted, "
        "and contrasts are not raised",
    )
    within: float = optional(
        "factor for the difference of a frame's scan logit from the person's mean, because "
        "single frames are noisy",
        1.0,
        gt=0,
        le=1,
    )
    contrast: Contrast | None = optional("null: nothing is raised")
    agreement: Agreement = None
    photographs: PhotographFusion | None = optional("null: as for videos")
    crops: Platt | None = optional("calibration of the scan's logits of ready-made crops; null: as of frames")
    probability: Platt
    knee: float = 0.0
    beyond: float | None = optional("null: one scale everywhere", gt=0)
    learnt: tuple[str, ...] = optional(
        "generators and methods from whose photographs it learned, in words", ()
    )
    data: tuple[str, ...] = ()
    recipe: tuple[str, ...] = ()
    figures: dict[str, float] = Field(default_factory=dict, description="of both networks together")
    rates: tuple[Rate, ...] = optional("of both networks together", ())

    def as_model(self) -> SecondLookModel:
        """Return the part that goes into an analysis."""
        return SecondLookModel(
            name=self.name,
            architecture=self.architecture,
            sha256=self.sha256,
            card_sha256=_sha256(self.deciding),
            codecs=dict(self.codecs),
        )

    @property
    def deciding(self) -> dict[str, Any]:
        """The fields that affect results; the others describe and measure the model."""
        return self.model_dump(mode="json", exclude=_DESCRIBING)


class Card(Described):
    """A model card, ``models/NAME.json``. The Markdown beside it is generated from this."""

    name: str
    title: str
    architecture: str
    sha256: Sha256
    input: Input
    temperature: float = Field(gt=0, description="logits are divided by this before the sigmoid")
    segment: Platt | None = optional("calibration of a segment's mean logit")
    exhibit: Platt | None = optional("calibration of an exhibit's highest mean logit")
    data: tuple[str, ...]
    terms: str
    recipe: tuple[str, ...]
    figures: dict[str, float]
    learnt: tuple[str, ...] = optional("as in the second look's card", ())
    onnx: OnnxNetwork | None = optional(
        "for networks in ONNX files, whose architecture is free text; null: one of Reelproof's",
        exclude_if=lambda given: given is None,
    )
    rates: tuple[Rate, ...] = optional("error rates with intervals", ())
    validated: tuple[Range, ...] = optional("ranges that the measured data covered", ())
    second_look: SecondLookCard | None = optional(
        "from a file of its own; null: this network decides alone", exclude=True
    )

    def as_model(self) -> Model:
        """Return the part of the card that goes into an analysis.

        With a second look, the measurements are those of all networks together; those on single crops are its
        own only if it has any. If it calibrates crops anew, figures of their former calibration are left out.
        """
        shared = set(Model.model_fields) - {"second_look"}
        model = Model(**{name: value for name, value in self if name in shared})
        second = self.second_look
        if second is None:
            return model
        crops = {
            name: value
            for name, value in self.figures.items()
            if " crops" in name and not (second.crops and name.endswith(_CALIBRATION_FIGURES))
        }
        of_crops = second if any(rate.unit == "crops" for rate in second.rates) else self
        update = {
            "second_look": second.as_model(),
            "figures": crops | second.figures,
            "rates": (
                *(rate for rate in second.rates if rate.unit != "crops"),
                *(rate for rate in of_crops.rates if rate.unit == "crops"),
            ),
            **{name: getattr(second, name) or getattr(self, name) for name in Described.model_fields},
            "learnt": second.learnt or self.learnt,
        }
        return model.model_copy(update=update)

    @property
    def suffix(self) -> str:
        """The ending of the weights file beside the card."""
        return ".onnx" if self.onnx else ".safetensors"

    @property
    def alone(self) -> Card:
        """The card without its second look."""
        return self.model_copy(update={"second_look": None}) if self.second_look else self

    @property
    def fused(self) -> Card:
        """The card with the calibration of fused logits, the same for frames, segments and exhibits."""
        return self.model_copy(update={"temperature": 1.0, "segment": None, "exhibit": None})


def is_model_name(text: str) -> bool:
    """Return whether ``text`` may name a model: at most 60 lower-case letters, digits and hyphens."""
    return _NAME.fullmatch(text) is not None


# Fields that describe and measure a model. All others affect its results.
_DESCRIBING = {
    *("name", "title", *Described.model_fields, "learnt", "data", "terms", "recipe"),
    *("figures", "rates", "validated"),
}


def deciding_sha256(card: Card) -> str:
    """Return the SHA-256 of all fields of a model and its second look that affect results."""
    facts = card.model_dump(mode="json", exclude=_DESCRIBING)
    facts["second_look"] = card.second_look.deciding if card.second_look else None
    return _sha256(facts)


def _sha256(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
