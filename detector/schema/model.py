"""What an analysis and a model card publish about a model, also about one from an ONNX file."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from detector.schema.base import Sha256, Value
from detector.schema.formatting import N_


class Gives(StrEnum):
    """What the output holds for each crop: one figure, or one for each class."""

    LOGIT = "logit"
    PROBABILITY = "probability"
    LOGITS = "logits"
    PROBABILITIES = "probabilities"

    @property
    def of_classes(self) -> bool:
        """Whether there is one figure for each class."""
        return self in (Gives.LOGITS, Gives.PROBABILITIES)


class Framing(Value):
    """Which square around a face the network sees; its side is in sides of the face detector's box.

    A box's side is the geometric mean of its width and height.
    """

    box: float = Field(gt=0.2, le=4, description="the square's side, as a factor of the box's")
    below: float = Field(
        default=0.0, ge=-1, le=1, description="its centre lies so many of its own sides below the box's"
    )
    upright: bool = Field(
        default=False, description="faces that lean by more than 15 degrees are turned back to that"
    )


class Output(Value):
    """What of the network's output is the score."""

    gives: Gives
    manipulated: Annotated[int, Field(ge=0, lt=1000)] = Field(
        default=1,
        description="number of the class that means manipulated; of one figure 1: a high one means "
        "manipulated, 0: a low one",
    )
    name: str | None = Field(default=None, description="of the output; null: the file has only one")


class OnnxNetwork(Value):
    """The part of a card that only networks in ONNX files have."""

    framing: Framing
    output: Output
    channels: Annotated[str, Field(pattern="^(rgb|bgr)$")] = Field(
        default="rgb", description="order in which the network wants them; mean and std are always RGB"
    )


LEARNT = N_(
    "the model learnt from some of these, or was chosen or calibrated on them, so the figures flatter"
)
"""Note on a :class:`Rate` that is therefore no error rate."""


WHOLE_PROGRAM = "whole program"
"""How names of figures and data begin that are of the engine's verdicts, not of the networks' step alone."""


class Platt(Value):
    """A probability out of a mean logit (Platt, 1999): sigmoid of ``scale`` times it plus ``offset``."""

    scale: float = Field(gt=0)
    offset: float


class Rate(Value):
    """A figure measured on named data, with its 95 % confidence interval."""

    figure: str = Field(description="such as 'false positive rate'")
    data: str = Field(description="such as 'develop clips'")
    value: float
    low: float | None = Field(default=None, description="null where resampling says nothing")
    high: float | None = None
    interval: str = Field(description="how the interval was made")
    items: int = Field(gt=0, description="how many were judged")
    unit: str = Field(description="what was counted: clips, crops or frames")
    events: int | None = Field(default=None, ge=0, description="how many of them, for a rate")
    groups: int | None = Field(default=None, description="independent sources among all items of the data")
    threshold: float | None = Field(
        default=None, description="probability at which it was decided; null: by verdict"
    )
    note: str | None = Field(default=None, description="what speaks against taking it at face value")


class Range(Value):
    """Where a property of the exhibit has to lie for the measured figures to speak for it."""

    name: str
    unit: str
    least: float | None = Field(default=None, description="null with the other: not measured at all")
    most: float | None = None
    basis: str = Field(description="what was measured, in words")


class TransformerModel(Value):
    """Which network looked at whole heads beside the first in the second look; versions 1.6 and 1.7."""

    architecture: str
    sha256: Sha256


class SecondLookModel(Value):
    """Which network took the second look."""

    name: str
    architecture: str
    sha256: Sha256
    transformer: TransformerModel | None = Field(
        default=None, description="the second of its networks, where it had two; versions 1.6 and 1.7"
    )
    card_sha256: Sha256 | None = Field(
        default=None,
        description="over the deciding part of its card: what it is fed, fusion, calibration; since 1.13",
    )
    codecs: dict[str, float] | None = Field(
        default=None,
        description="by FFmpeg's name of a codec what is taken off the raw score (logit) of alteration of "
        "videos in it, since encoding adds it on average; since 1.22",
    )


class Model(Value):
    """Which network judged, and how well it was measured to judge."""

    name: str
    title: str
    architecture: str
    sha256: Sha256
    temperature: float = Field(gt=0, description="logits of single frames are divided by this")
    segment: Platt | None = Field(
        default=None, description="of the mean logit of a segment; null: as for single frames"
    )
    exhibit: Platt | None = Field(
        default=None, description="of the highest mean logit of a person or segment; null likewise"
    )
    figures: dict[str, float] = Field(description="measured figures from the model card, by name")
    domain: str = Field(description="what it was validated on, in words")
    limits: tuple[str, ...]
    learnt: tuple[str, ...] = Field(
        default=(),
        description="generators and methods whose photographs it learnt from, in plain words; since 1.8",
    )
    rates: tuple[Rate, ...] = Field(default=(), description="error rates with intervals; since 1.2")
    validated: tuple[Range, ...] = Field(default=(), description="ranges it was validated in; since 1.2")
    onnx: OnnxNetwork | None = Field(
        default=None,
        description="of a network that came as an ONNX file: its framing and what its output means; "
        "null: one of Reelproof's architectures; since 1.10",
    )
    second_look: SecondLookModel | None = Field(
        default=None,
        description="the network whose logits are fused with this one's; null: this one decided alone; "
        "since 1.5",
    )
