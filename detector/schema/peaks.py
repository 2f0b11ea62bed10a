"""Peak frames of segments: their heatmaps, the checks of these, and the calm frame they are compared with."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from detector.schema.base import Probability, Seconds, Value, optional
from detector.schema.scores import Box
from detector.schema.tolerance import (
    CHECK,
    FALL,
    HEAT,
    HIDDEN,
    INSTANT,
    PICTURE,
    PLACE,
    Tolerance,
)

FrameIndex = Annotated[
    int | None,
    Field(ge=0, description="number of frames before it, in order of presentation; null: not recorded"),
]


# A map counts as confirmed when hiding its hottest area lowers the logit by the check's margin more than
# hiding random areas does, and at least this many times as far. The margin keeps small drops and maps of
# other faces from counting (docs/models.md), the ratio a face that any hiding unsettles.
CLEAR_RATIO = 2.0
# Random areas from which those of a check are taken, and how many one heatmap is compared with; many faces of
# one photograph share them.
RANDOM_AREAS, USUAL_AREAS = 8, 5


def least_drop(margin: float, drop_random: float) -> float:
    """Return the drop of the logit from which a check may confirm its map, given that over random areas."""
    return max(margin, drop_random + margin, CLEAR_RATIO * drop_random)


class HideAndRescore(Value):
    """The effect on the score of hiding what the heatmap highlights.

    The hottest area, a share ``area`` of the face, is hidden and the face is scored again. The control is the
    mean over random areas of the same size. Transformers leave hidden patches out (since 0.3); from other
    networks an area is hidden by a blur.
    """

    area: Probability = Field(description="share of the face that was hidden")
    probability: Probability = Field(description="before hiding")
    hidden_highlight: Annotated[Probability, HIDDEN] = Field(description="after hiding the hottest area")
    hidden_random: Annotated[Probability, HIDDEN] = Field(
        description="after hiding a random area, mean of several"
    )
    drop_highlight: Annotated[float, FALL] = Field(
        description="logit before minus logit after hiding the hottest area"
    )
    drop_random: Annotated[float, FALL] = Field(
        description="logit before minus mean logit after hiding random areas"
    )
    areas: int = optional(
        "number of random areas in that mean: 8, since 0.3 5; since 0.2 fewer if many faces of one "
        "photograph are explained",
        RANDOM_AREAS,
        ge=1,
    )
    margin: Annotated[float, FALL] = optional(
        "by how much the first drop must exceed the second one, at least, for the map to count as confirmed: "
        "0.5, since 0.3 at least twice the standard deviation of drops over random areas",
        0.5,
        gt=0,
    )
    hidden_middle: Annotated[Probability | None, HIDDEN] = optional(
        "after hiding a disc of the same size in the middle, where maps are hot in many faces", since="0.3"
    )
    drop_middle: Annotated[float | None, FALL] = optional(
        "logit before minus logit after hiding that disc", since="0.3"
    )

    @property
    def least_drop(self) -> float:
        """The drop of the logit below which the map does not count as confirmed."""
        return least_drop(self.margin, self.drop_random)

    @property
    def confirmed(self) -> bool:
        """Whether hiding the highlighted area lowers the score clearly more than chance."""
        is_specific = self.drop_middle is None or self.drop_highlight > self.drop_middle
        return self.drop_highlight >= self.least_drop and is_specific


class CloseUp(Value):
    """A small face and its surroundings at full size, for a photograph that is stored reduced."""

    part: Annotated[Box, Tolerance(by=PLACE.by)] = Field(
        description="the part of the exhibit that is shown, in whole px"
    )
    frame: Annotated[str, PICTURE] = Field(description="PNG of that part, relative to analysis.json")
    overlay: Annotated[str, PICTURE] = Field(
        description="PNG of that part with the heatmap, relative to analysis.json"
    )
    map: Annotated[str, PICTURE] = Field(
        description="PNG of that part of the heatmap alone, relative to analysis.json"
    )


class MapMethod(StrEnum):
    """How a heatmap is computed."""

    GRAD_CAM = "Grad-CAM"
    HIDDEN_PARTS = "hidden parts"
    CHANGE = "change since a calm frame"


class MapNetwork(StrEnum):
    """A network that a heatmap explains."""

    SCAN = "scan"
    SECOND_LOOK = "second look"


class Question(StrEnum):
    """A question that the second look answers."""

    ALTERED = "altered"
    SYNTHESISED = "synthesised"


class PeakMap(Value):
    """One heatmap of a peak frame."""

    method: MapMethod
    networks: Annotated[tuple[MapNetwork, ...], Tolerance(how="set")] = Field(
        description="the networks it explains, strongest first"
    )
    question: Question | None = optional("the question whose answer it explains; null: there is only one")
    framing: str | None = optional(
        "the square that it covers: *inner face*, *whole head*, or since 0.3 a window (*mouth*, "
        "*close mouth*, *neck*)"
    )
    share: Annotated[Probability | None, HEAT] = optional(
        "share of the networks it explains in the logit; null: all of it"
    )
    overlay: Annotated[str | None, PICTURE] = Field(
        description="PNG of the frame with this heatmap; null if not kept"
    )
    map: Annotated[str | None, PICTURE] = Field(description="PNG of this heatmap alone; null if not kept")
    heat: Annotated[Probability, HEAT] = Field(
        description="highest value relative to that of the strongest map by this method in the analysis"
    )
    check: Annotated[HideAndRescore | None, CHECK] = optional("null: not checked, since it explains no score")


class FaceFrame(Value):
    """A frame of a face, as it is shown."""

    time: Annotated[Seconds, INSTANT]
    pts: int
    frame_index: FrameIndex = None
    probability: Probability
    box: Annotated[Box, PLACE]
    frame: Annotated[str | None, PICTURE] = Field(
        description="PNG of the frame, relative to analysis.json; null if not kept"
    )


class CalmFrame(FaceFrame):
    """A frame in which the same person's face has a low score, for comparison with peaks."""


class StripFace(Value):
    """One face of the film strip of a segment."""

    time: Annotated[Seconds, INSTANT]
    pts: int
    probability: Probability | None = Field(description="calibrated, of this frame alone; null: not judged")
    picture: Annotated[str, PICTURE] = Field(description="PNG of the face, relative to analysis.json")


class Peak(FaceFrame):
    """A frame in a segment whose smoothed score is a local maximum."""

    overlay: Annotated[str | None, PICTURE] = Field(
        description="PNG of the frame with the heatmap; null if not kept"
    )
    map: Annotated[str | None, PICTURE] = optional(
        "PNG of the heatmap alone, as large as the frame and transparent where it is cold; null if not kept"
    )
    close_up: Annotated[CloseUp | None, PICTURE] = optional(
        "null: the pictures above show the face large enough, or none is kept", since="0.2"
    )
    heat: Annotated[Probability, HEAT] = Field(
        description="highest value of this map on the scale of the whole analysis"
    )
    check: Annotated[HideAndRescore | None, CHECK] = Field(description="null: there is no heatmap, since 0.3")
    maps: tuple[PeakMap, ...] = optional(
        "every heatmap of this frame; the first is the one that overlay, map, heat and check belong to; "
        "empty in analyses before 0.3",
        (),
    )
    no_map: str | None = optional("why there is no heatmap, in words", since="0.3")

    @property
    def confirmed(self) -> bool:
        """Whether a check confirmed the map."""
        return self.check is not None and self.check.confirmed

    @property
    def pictures(self) -> tuple[str, ...]:
        """Paths of all stored pictures."""
        further = [path for heatmap in self.maps[1:] for path in (heatmap.overlay, heatmap.map)]
        near = (self.close_up.frame, self.close_up.overlay, self.close_up.map) if self.close_up else ()
        return tuple(path for path in (self.frame, self.overlay, self.map, *further, *near) if path)
