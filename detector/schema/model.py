"""What analyses and model cards publish about a model, including networks in ONNX files."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from detector.schema.base import Sha256, Value, optional
from detector.schema.causes.cards import CardCode
from detector.schema.causes.cause import Cause
from detector.schema.formatting import N_


class Gives(StrEnum):
    """What the output contains for each crop: one number, or one for each class."""

    LOGIT = "logit"
    PROBABILITY = "probability"
    LOGITS = "logits"
    PROBABILITIES = "probabilities"

    @property
    def of_classes(self) -> bool:
        """Whether there is one number for each class."""
        return self in (Gives.LOGITS, Gives.PROBABILITIES)


class Framing(Value):
    """The square around a face that the network sees, relative to the face detector's box.

    The side of a box is the geometric mean of its width and height.
    """

    box: float = Field(gt=0.2, le=4, description="side of the square, as a multiple of that of the box")
    below: float = optional(
        "distance of its centre below that of the box, in sides of the square", 0.0, ge=-1, le=1
    )
    upright: bool = optional("faces that lean by more than 15 degrees are turned back to 15", False)


class Output(Value):
    """How the score is read from the network's output."""

    gives: Gives
    manipulated: Annotated[int, Field(ge=0, lt=1000)] = optional(
        "number of the class that means manipulated; with a single number, 1 if a high one means "
        "manipulated, 0 if a low one does",
        1,
    )
    name: str | None = optional("name of the output; null: the file has only one")


class OnnxNetwork(Value):
    """The part of a model card that only networks in ONNX files have."""

    framing: Framing
    output: Output
    channels: Annotated[str, Field(pattern="^(rgb|bgr)$")] = optional(
        "order that the network expects; mean and std are always RGB", "rgb"
    )


LEARNT = N_(
    "the model learned from some of these, or was chosen or calibrated on them, so the figures flatter"
)
"""Note on a :class:`Rate` that is therefore no error rate."""

# Prefix of the names of figures and data that concern the engine's verdicts, not a network alone.
WHOLE_PROGRAM = "whole program"
# Names of figures over generators of the second collection of clips, left out of training: this prefix, the
# kind of manipulation, and this ending or "AUC".
PAGES_LEFT_OUT = "pages left out"
LEFT_OUT_FOUND = "found where 5 in 100 unmanipulated clips are flagged"
PHOTOGRAPHS_LEFT_OUT = "generators and sources of photographs left out"
LEFT_OUT_PHOTOGRAPHS_FOUND = "found where 5 in 100 unmanipulated ones are flagged"


class Platt(Value):
    """Platt scaling (Platt, 1999): the probability is sigmoid(``scale`` · mean logit + ``offset``)."""

    scale: float = Field(gt=0)
    offset: float


class Rate(Value):
    """A figure measured on named data, with its 95 % confidence interval."""

    figure: str = Field(description="such as 'false positive rate'")
    data: str = Field(description="such as 'develop clips'")
    value: float
    low: float | None = optional("null if resampling is not informative")
    high: float | None = None
    interval: str = Field(description="how the interval was computed")
    items: int = Field(gt=0, description="number of judged items")
    unit: str = Field(description="what was counted: clips, crops or frames")
    events: int | None = optional("for a rate, number of items that count for it", ge=0)
    groups: int | None = optional("independent sources among all items of the data")
    threshold: float | None = optional("probability from which items were flagged; null: by verdict")
    note: str | None = optional("why the figure should not be taken at face value")


class Range(Value):
    """The range of a property of exhibits for which the measured figures are valid."""

    name: str
    unit: str
    least: float | None = optional("null with the other: not measured")
    most: float | None = None
    basis: str = Field(default="", description="what was measured: the text of `cause`")
    cause: Cause | None = optional("null: a card before 0.3, or one of somebody's own model")

    @model_validator(mode="after")
    def _write_basis(self) -> Self:
        if self.cause is not None and not self.basis:
            object.__setattr__(self, "basis", self.cause.text)
        return self


class Described(Value):
    """What a card says in sentences."""

    domain: str = Field(default="", description="what it was validated on: the text of `domain_cause`")
    domain_cause: Cause | None = optional("null: a card before 0.3, or one of somebody's own model")
    limits: tuple[str, ...] = Field(default=(), description="the texts of `limit_causes`")
    limit_causes: tuple[Cause, ...] = optional("empty: a card before 0.3, or one of somebody's own model", ())

    @model_validator(mode="after")
    def _write_sentences(self) -> Self:
        if self.domain_cause is not None and not self.domain:
            object.__setattr__(self, "domain", self.domain_cause.text)
        if self.limit_causes and not self.limits:
            object.__setattr__(self, "limits", tuple(cause.text for cause in self.limit_causes))
        return self

    def states(self, code: CardCode) -> bool:
        """Return whether its limits contain ``code``."""
        return any(cause.code == code.code for cause in self.limit_causes)


class TransformerModel(Value):
    """The second network of the second look, for whole heads; versions 1.6 and 1.7."""

    architecture: str
    sha256: Sha256


class SecondLookModel(Value):
    """The network of the second look."""

    name: str
    architecture: str
    sha256: Sha256
    transformer: TransformerModel | None = optional("its second network, if it had two; versions 1.6 and 1.7")
    card_sha256: Sha256 | None = optional(
        "over the part of its card that affects results: input, fusion, calibration", since="0.2"
    )
    codecs: dict[str, float] | None = optional(
        "subtracted from the raw *altered* score (logit) of videos by codec (FFmpeg's name), "
        "because encoding adds as much on average",
        since="0.2",
    )


class Model(Described):
    """The network that judged, and what was measured with it."""

    name: str
    title: str
    architecture: str
    sha256: Sha256
    temperature: float = Field(gt=0, description="logits of single frames are divided by this")
    segment: Platt | None = optional("of the mean logit of a segment; null: as for single frames")
    exhibit: Platt | None = optional(
        "of the highest mean logit of a person or segment; null: as for single frames"
    )
    figures: dict[str, float] = Field(description="measured figures from the model card, by name")
    learnt: tuple[str, ...] = optional(
        "generators and methods from whose photographs it learned, in words", (), since="0.2"
    )
    rates: tuple[Rate, ...] = optional("error rates with intervals", ())
    validated: tuple[Range, ...] = optional("ranges it was validated in", ())
    onnx: OnnxNetwork | None = optional(
        "framing and output of a network in an ONNX file; null: one of Reelproof's architectures", since="0.2"
    )
    second_look: SecondLookModel | None = optional(
        "the network whose logits are fused with this one's; null: this one decided alone", since="0.2"
    )
