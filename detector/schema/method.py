"""How an analysis was computed: parameters, software, and the rule that combines several models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field

from detector.schema.base import Sha256, Value, optional
from detector.schema.formatting import N_
from detector.schema.tolerance import (
    FOLLOWS,
    NOT_COMPARED,
    Tolerance,
)


class Library(Value):
    """A library that was used, by its name on the Python package index."""

    name: str
    version: str


class Software(Value):
    """Software and machine of an analysis."""

    reelproof: str
    torch: Annotated[str, NOT_COMPARED]
    device: Annotated[str, NOT_COMPARED] = Field(description="cpu or cuda, and the device's name")
    created: Annotated[str, NOT_COMPARED] = Field(description="UTC, ISO 8601")
    python: Annotated[str | None, NOT_COMPARED] = None
    libraries: Annotated[tuple[Library, ...], NOT_COMPARED] = ()
    system: Annotated[str | None, NOT_COMPARED] = Field(
        default=None, description="operating system and kernel"
    )
    processor: Annotated[str | None, NOT_COMPARED] = None
    instructions: Annotated[str | None, NOT_COMPARED] = Field(
        default=None, description="the widest vector instructions available"
    )
    commit: Annotated[str | None, NOT_COMPARED] = Field(
        default=None, description="of the source tree; null outside a git checkout"
    )
    source_sha256: Annotated[Sha256 | None, NOT_COMPARED] = Field(
        default=None, description="over the engine's source; docs/exhibit.md says how it is made"
    )
    face_proposals_sha256: Annotated[Sha256 | None, NOT_COMPARED] = Field(
        default=None, description="of the network that proposes where faces may be; since 0.2"
    )
    covered_faces_sha256: Annotated[Sha256 | None, NOT_COMPARED] = Field(
        default=None, description="of the network that recognises covered faces; since 0.2"
    )
    backend: Annotated[str | None, NOT_COMPARED] = Field(
        default=None, description="back end that ran the network"
    )
    precision: Annotated[str | None, Tolerance(how="arithmetic", finding=True)] = Field(
        default=None, description="of the network's arithmetic"
    )
    heatmap_precision: Annotated[str | None, NOT_COMPARED] = optional(
        "of the arithmetic of heatmaps of faces, and of their checks; null: as `precision`", since="0.3"
    )
    threads: Annotated[int | None, NOT_COMPARED] = Field(
        default=None, ge=1, description="of the network, on the processor"
    )
    batch: Annotated[int | None, NOT_COMPARED] = Field(
        default=None, ge=1, description="crops scored at once, at most"
    )
    command: Annotated[str | None, FOLLOWS] = Field(
        default=None, description="for a POSIX shell in the exhibit's folder; repeats the analysis"
    )


class Ran(Value):
    """The back end that ran a model."""

    backend: str
    precision: str
    device: str = Field(description="cpu or cuda, and the device's name")


LATER_PARAMETERS = {
    "search_interval": frozenset({"1.0", "1.1", "1.2"}),
    "edge_window": frozenset({"1.0", "1.1", "1.2", "1.3"}),
    "second_look": frozenset({"1.0", "1.1", "1.2", "1.3", "1.4"}),
    **dict.fromkeys(
        ("minimum_colour", "minimum_detail", "maximum_flatness"),
        frozenset({"1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7"}),
    ),
    "skip_unreferenced": frozenset(f"1.{minor}" for minor in range(11)),
    "interpolate_below": frozenset(f"1.{minor}" for minor in range(14)),
    "alternate_heads": frozenset(f"1.{minor}" for minor in range(15)),
    "average_odds": frozenset(f"1.{minor}" for minor in range(17)),
    "sound": frozenset(f"1.{minor}" for minor in range(26)),
    "edge_level": frozenset(f"1.{minor}" for minor in range(26)),
}
"""Parameters that are 0 in analyses of these schema versions, in which they did not exist yet."""

VIDEO_PARAMETERS = frozenset(
    {
        "sample_rate", "search_interval", "edge_window", "median_window", "exit_threshold", "edge_level",
        "merge_gap", "minimum_duration", "bridge_gap", "minimum_usable_frames", "skip_unreferenced",
        "interpolate_below", "alternate_heads", "sound",
    }
)  # fmt: skip
"""Parameters without effect on a photograph."""

PHOTO_PARAMETERS = frozenset({"minimum_colour", "minimum_detail", "maximum_flatness", "average_odds"})
"""Parameters without effect on a video."""

FIRST_PASS_PARAMETERS = frozenset(
    {
        "sample_rate", "detection_threshold", "detection_width", "search_interval", "bridge_gap",
        "minimum_face", "minimum_confidence", "minimum_contrast", "minimum_sharpness", "maximum_sharpness",
        "minimum_colour", "minimum_detail", "maximum_flatness", "interpolate_below",
    }
)  # fmt: skip
"""Parameters that affect which faces are found, followed, judged and scored by the scan."""

SECOND_LOOK_PARAMETERS = frozenset({"second_look", "alternate_heads"})
"""Parameters without effect if one network decides alone."""

# Width in pixels as searched from which CenterFace finds nearly every face (docs/faces.md).
SURELY_FOUND = 24.0


class Parameters(Value):
    """Every parameter that changes a result. Defaults are the shipped ones."""

    sample_rate: float = Field(default=8.0, gt=0, le=120, description=N_("sampled frames a second"))
    detection_threshold: float = Field(
        default=0.5, gt=0, lt=1, description=N_("lowest CenterFace confidence of a face that is followed")
    )
    detection_width: int = Field(
        default=640,
        ge=128,
        description=N_(
            "frames are searched at most this wide, px; large photographs also in parts of this width"
        ),
    )
    search_interval: float = Field(
        default=8.0,
        ge=0,
        le=60,
        description=N_(
            "seconds between searches of whole frames, a quarter of it in frames so large that a smaller "
            "network, which proposes faces in between, may miss one that is judged; known faces are looked "
            "for once a second where they were, and followed by their pictures from one such look to the "
            "next; 0: every sampled frame is searched whole; with proposals since 0.2"
        ),
    )
    edge_window: float = Field(
        default=1.0,
        ge=0,
        le=10,
        description=N_(
            "seconds before and after each end of an interval that reaches the threshold, besides "
            "a sampling interval, in which every frame is judged, which moves the ends to where they "
            "are; 0: sampled frames only; not for networks that judge sequences"
        ),
    )
    minimum_face: float = Field(
        default=48.0, ge=0, description=N_("least face width judged, px of the upright frame")
    )
    minimum_confidence: float = Field(
        default=0.7, ge=0, lt=1, description=N_("lowest CenterFace confidence of a face that is judged")
    )
    minimum_contrast: float = Field(
        default=5.0, ge=0, description=N_("least standard deviation of a judged crop's grey levels, of 255")
    )
    minimum_sharpness: float = Field(
        default=0.028, ge=0, description=N_("least fine detail of a judged crop, as a share of its contrast")
    )
    maximum_sharpness: float = Field(
        default=0.25, ge=0, description=N_("most fine detail of a judged crop, likewise; above it is noise")
    )
    minimum_colour: float = Field(
        default=1.5,
        ge=0,
        description=N_(
            "photos: least mean distance of a judged face's colours from a function of their "
            "brightness, levels of 255; below it is black and white or toned; 0: any; since 0.2"
        ),
    )
    minimum_detail: float = Field(
        default=0.025,
        ge=0,
        description=N_(
            "photos: least share of a judged face's contrast that is lost at a width of 32 px; below "
            "it is enlarged or far out of focus; 0: any; since 0.2"
        ),
    )
    maximum_flatness: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description=N_(
            "photos: most of a judged face's pixels that equal all their neighbours; above it is "
            "drawn; 0: any; since 0.2"
        ),
    )
    median_window: float = Field(default=1.2, ge=0, description=N_("sliding median, seconds"))
    enter_threshold: float = Field(
        default=0.65, gt=0, lt=1, description=N_("smoothed score that opens a segment")
    )
    exit_threshold: float = Field(default=0.5, gt=0, lt=1, description=N_("smoothed score that closes it"))
    edge_level: float = Field(
        default=0.4,
        ge=0,
        lt=1,
        description=N_(
            "a segment begins and ends where its smoothed logit lies this far between the threshold that "
            "closes a segment (0) and its level (1), the median of its logits at or above the threshold that "
            "opens one; not for live sources; since 0.3"
        ),
    )
    merge_gap: float = Field(
        default=0.5, ge=0, description=N_("segments nearer than this become one, seconds")
    )
    minimum_duration: float = Field(
        default=0.5,
        ge=0,
        description=N_(
            "shorter segments are dropped, seconds, the last sample's interval counted; tracks of "
            "one person that are shorter are judged together"
        ),
    )
    bridge_gap: float = Field(
        default=0.75, ge=0, description=N_("a face lost for less keeps its track, seconds")
    )
    minimum_usable_frames: int = Field(
        default=8, ge=1, description=N_("fewer usable frames in a video: inconclusive")
    )
    doubt_threshold: float = Field(
        default=0.4,
        gt=0,
        lt=1,
        description=N_("nothing flagged, but the score over a person's frames this high: inconclusive"),
    )
    second_look: int = Field(
        default=8,
        ge=0,
        le=64,
        description=N_(
            "moments of each person that a second, stronger network judges as well, if the model has "
            "one; its logits are fused with those of the scan; of eight or more only half where these leave "
            "no doubt; 0: none; since 0.2"
        ),
    )
    skip_unreferenced: bool = Field(
        default=True,
        description=N_(
            "H.264 frames that are not sampled and to which no other frame refers are not decoded, in "
            "MP4, QuickTime and Matroska; 0: every frame is decoded; since 0.2"
        ),
    )
    interpolate_below: float = Field(
        default=0.4,
        ge=0,
        lt=1,
        description=N_(
            "videos: of a track the scan is given every fourth face, and, where its score of "
            "one of both ends of such a gap is this high, the middle one, and so on; scores of others lie on "
            "the line between; 0: every face is scored; not for networks that judge sequences; since 0.2"
        ),
    )
    alternate_heads: bool = Field(
        default=True,
        description=N_(
            "videos: the second network sees the inner face in each of its moments, the whole head in every "
            "other one of a track, or windows in every fourth, and in between takes it from these; 0: in "
            "each as well; since 0.2"
        ),
    )
    average_odds: bool = Field(
        default=True,
        description=N_(
            "photos: of several judged faces the odds are averaged, so that their number makes false "
            "findings less likely than the highest one would; 0: the highest one counts; since 0.2"
        ),
    )
    sound: bool = Field(
        default=True,
        description=N_("voices are examined, if the file has sound; 0: sound is left out; since 0.3"),
    )
    seed: int = Field(default=0, description=N_("of the random areas that heatmaps are compared with"))

    @property
    def thresholds(self) -> tuple[float, float]:
        """The thresholds of doubt and of a finding."""
        return self.doubt_threshold, self.enter_threshold

    @property
    def inverted_thresholds(self) -> tuple[str, str] | None:
        """Names of two parameters of which the first exceeds the second but must not; None without such.

        Otherwise scores that open a segment would close it, or no crop could be sharp but free of noise.
        Commands refuse such parameters. They are no validation error, so that old analyses stay readable.
        """
        if self.exit_threshold > self.enter_threshold:
            return "exit_threshold", "enter_threshold"
        if self.minimum_sharpness > self.maximum_sharpness:
            return "minimum_sharpness", "maximum_sharpness"
        return None


def zero_values(names: Iterable[str]) -> dict[str, Any]:
    """Return the value 0, of the right type, for each of these :data:`LATER_PARAMETERS`."""
    return {name: type(Parameters.model_fields[name].default)(0) for name in names}


def add_missing_parameters(document: Any) -> Any:
    """Set the missing :data:`LATER_PARAMETERS` of a validation document to 0 before it is read.

    A validation states no schema version of analyses. It contains all parameters of its time, so a missing
    one did not exist yet.
    """
    parameters = document.get("parameters") if isinstance(document, dict) else None
    if not isinstance(parameters, dict):
        return document
    return {
        **document,
        "parameters": {**zero_values(LATER_PARAMETERS.keys() - parameters.keys()), **parameters},
    }


def is_shipped_threshold(threshold: float) -> bool:
    """Return whether ``threshold`` is the shipped threshold of a finding."""
    return bool(threshold == Parameters.model_fields["enter_threshold"].default)
