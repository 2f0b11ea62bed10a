"""Decide from an analysis whether the exhibit lies within the domain on which the model was validated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from detector.schema.analysis import Analysis, FaceQuality, MediaKind, Person, Range
from detector.schema.causes.cards import CardCode
from detector.schema.causes.cause import Cause
from detector.schema.formatting import N_, parse_ratio
from detector.schema.measurements import Spread
from detector.verdict.judged_persons import is_all_motionless, representative_person

OTHER_CODECS = N_("other codecs")
STILL_AS_VIDEO = N_("a still shown as a video")
BINARY_PROPERTIES = frozenset({OTHER_CODECS, STILL_AS_VIDEO, "still images"})
"""Properties that an exhibit has or has not: 1 or 0."""
MEASURED_CODECS = frozenset({"h264", "mpeg4"})
"""Of the clips on which thresholds were chosen and error rates counted, by FFmpeg's names."""
# Ranges to skip, by kind of exhibit, because they apply to the other kind only.
_OTHER_KIND = {
    MediaKind.VIDEO: frozenset({N_("JPEG quality"), N_("still images")}),
    MediaKind.IMAGE: frozenset({N_("bits per pixel"), N_("frame rate"), OTHER_CODECS}),
}
_SPREAD_OF: dict[str, Callable[[FaceQuality], Spread]] = {
    "face width": lambda faces: faces.width,
    "contrast": lambda faces: faces.contrast,
    "sharpness": lambda faces: faces.sharpness,
    "tilt": lambda faces: faces.tilt,
}
_GREY = "grey faces"
FACE_PROPERTIES = frozenset({*_SPREAD_OF, _GREY})
"""Properties of faces, each person's own; the others are of the whole exhibit."""


@dataclass(frozen=True)
class Criterion:
    """One property of the exhibit; ``inside`` is None if its value or range is unknown.

    ``person`` is the person whose faces it describes, if only one of several judged persons counts.
    """

    name: str
    unit: str
    value: float | None
    spread: Spread | None
    least: float | None
    most: float | None
    inside: bool | None
    basis: str
    person: str | None = None
    cause: Cause | None = None


def criteria(analysis: Analysis) -> tuple[Criterion, ...]:
    """Compare the exhibit with every range of the model's card, in the card's order.

    Properties of faces count by their median. A still shown as a video is outside every card, because no
    model was measured on any.
    """
    if analysis.media.sound_only:
        return ()
    values, spreads = measured_values(analysis)
    person = compared_person(analysis)
    results = []
    for card_range in analysis.model.validated:
        if card_range.name in _OTHER_KIND[analysis.media.kind]:
            continue
        value = values.get(card_range.name)
        results.append(
            Criterion(
                card_range.name,
                card_range.unit,
                value,
                spreads.get(card_range.name),
                card_range.least,
                card_range.most,
                None if value is None else _within(value, card_range),
                card_range.basis,
                person if card_range.name in FACE_PROPERTIES else None,
                card_range.cause,
            )
        )
    if results and is_all_motionless(analysis):
        moving = CardCode.MOVING_PEOPLE.cause()
        results.append(
            Criterion(
                STILL_AS_VIDEO, "", 1.0, None, None, None, inside=False, basis=moving.text, cause=moving
            )
        )
    return tuple(results)


def measured_values(analysis: Analysis) -> tuple[dict[str, float], dict[str, Spread]]:
    """Return the exhibit's values by name of the range; unknown ones are missing.

    Faces are those of the person whose score represents the exhibit, because the validation must hold for
    these. If several persons represent it, or before 0.2, they are the faces of all persons.
    """
    media, figured = analysis.media, representative_person(analysis)
    values = {"shorter side": float(min(media.width, media.height)), "still images": 1.0}
    spreads: dict[str, Spread] = {}
    if faces := (figured and figured.quality) or analysis.coverage.quality:
        spreads = _spreads(faces)
        values |= _of_faces(faces)
    details = media.details
    if not media.still:
        values[OTHER_CODECS] = float(media.codec not in MEASURED_CODECS)
    # Encoders of another generation need other bit rates for the same quality.
    if media.codec in MEASURED_CODECS and media.picture and media.picture.bit_rate and media.duration:
        rate = media.frames / media.duration
        values["bits per pixel"] = media.picture.bit_rate / (rate * media.width * media.height)
    if not media.still and (frame_rate := parse_ratio(media.frame_rate or "")) is not None:
        values["frame rate"] = frame_rate
    if details and details.photo and details.photo.tables:
        values["JPEG quality"] = float(details.photo.tables[0].quality)
    return values, spreads


def compared_person(analysis: Analysis) -> str | None:
    """Return the person whose faces :func:`measured_values` uses; None if all faces are used."""
    figured = representative_person(analysis)
    if figured is None or figured.quality is None or len(_judged(analysis)) < 2:
        return None
    return figured.id


def persons_outside(analysis: Analysis) -> dict[str, list[str]]:
    """Return the other judged persons who lie outside, with the properties of their faces that do."""
    ranges = [card_range for card_range in analysis.model.validated if card_range.name in FACE_PROPERTIES]
    figured = representative_person(analysis)
    judged = _judged(analysis)
    outside: dict[str, list[str]] = {}
    for person in judged if len(judged) > 1 else ():
        if person.quality is None or person is figured:
            continue
        values = _of_faces(person.quality)
        if names := [
            card_range.name for card_range in ranges if _within(values[card_range.name], card_range) is False
        ]:
            outside[person.id] = names
    return outside


def _judged(analysis: Analysis) -> list[Person]:
    return [person for person in analysis.persons if person.probability is not None]


def _of_faces(faces: FaceQuality) -> dict[str, float]:
    return {name: spread.median for name, spread in _spreads(faces).items()} | {_GREY: faces.grey}


def _spreads(faces: FaceQuality) -> dict[str, Spread]:
    return {name: of(faces) for name, of in _SPREAD_OF.items()}


def _within(value: float, card_range: Range) -> bool | None:
    if card_range.least is None and card_range.most is None:  # the card states that it was not measured
        return None
    return (card_range.least is None or value >= card_range.least) and (
        card_range.most is None or value <= card_range.most
    )
