"""What a card says of a network that came as an ONNX file: how faces are framed, what its output means."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from detector.schema.base import Value


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
