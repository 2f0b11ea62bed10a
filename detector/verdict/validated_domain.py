"""Decide from an analysis whether the exhibit lies within the domain on which the model was validated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from detector.schema.analysis import Analysis, FaceQuality, MediaKind, Person, Range
from detector.schema.formatting import N_, parse_ratio
from detector.schema.measurements import Spread
from detector.verdict.judged_persons import figured_person, nobody_moves_in

OTHER_CODECS = N_("other codecs")
STILL_AS_VIDEO = N_("a still shown as a video")
YES_OR_NO = frozenset({OTHER_CODECS, STILL_AS_VIDEO, "still images"})
"""Properties that an exhibit has or has not: 1 or 0."""
MEASURED_CODECS = frozenset({"h264", "mpeg4"})
"""Of the clips on which thresholds were chosen and error rates counted, by FFmpeg's names."""
_MOVING = N_("the clips were footage of people, who move")
# By the kind of an exhibit, the ranges that are of the other kind alone.
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
OF_FACES = frozenset({*_SPREAD_OF, _GREY})
"""Properties of faces, each person's own; the others are of the whole exhibit."""


@dataclass(frozen=True)
class Criterion:
    """One property of the exhibit; ``inside`` is None where it or the range is not known.

    ``person`` is whose faces it is of, where those of one of several judged persons count.
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


def criteria(analysis: Analysis) -> tuple[Criterion, ...]:
    """Every range of the model's card against this exhibit, in the card's order.

    A property of many faces counts by its median, of the faces that :func:`measured` takes. Ranges for
    videos alone are left out for photos, and the other way round. A still shown as a video is outside of
    every card, none of which measured any.
    """
    values, spreads = measured(analysis)
    whose = compared_person(analysis)
    found = []
    for each in analysis.model.validated:
        if each.name in _OTHER_KIND[analysis.media.kind]:
            continue
        value = values.get(each.name)
        found.append(
            Criterion(
                each.name,
                each.unit,
                value,
                spreads.get(each.name),
                each.least,
                each.most,
                None if value is None else _within(value, each),
                each.basis,
                whose if each.name in OF_FACES else None,
            )
        )
    if found and nobody_moves_in(analysis):
        found.append(Criterion(STILL_AS_VIDEO, "", 1.0, None, None, None, inside=False, basis=_MOVING))
    return tuple(found)


def measured(analysis: Analysis) -> tuple[dict[str, float], dict[str, Spread]]:
    """The exhibit's own values by the names that ranges have; what is not known is not there.

    Faces are those of the person whose figure the exhibit's probability is: what was validated has to hold
    of these. They are all together where the figure is of several, or persons' own are not known, as before
    schema 1.22.
    """
    media, figured = analysis.media, figured_person(analysis)
    values = {"shorter side": float(min(media.width, media.height)), "still images": 1.0}
    spreads: dict[str, Spread] = {}
    if faces := (figured and figured.quality) or analysis.coverage.quality:
        spreads = _spreads(faces)
        values |= _of_faces(faces)
    details = media.details
    if not media.still:
        values[OTHER_CODECS] = float(media.codec not in MEASURED_CODECS)
    # An encoder of another generation needs other rates for the same picture.
    if media.codec in MEASURED_CODECS and media.picture and media.picture.bit_rate and media.duration:
        rate = media.frames / media.duration
        values["bits per pixel"] = media.picture.bit_rate / (rate * media.width * media.height)
    if not media.still and (frame_rate := parse_ratio(media.frame_rate or "")) is not None:
        values["frame rate"] = frame_rate
    if details and details.photo and details.photo.tables:
        values["JPEG quality"] = float(details.photo.tables[0].quality)
    return values, spreads


def compared_person(analysis: Analysis) -> str | None:
    """Whose faces :func:`measured` takes; None where only one person was judged, or they are of all."""
    figured = figured_person(analysis)
    if figured is None or figured.quality is None or len(_judged(analysis)) < 2:
        return None
    return figured.id


def outside_by_own_faces(analysis: Analysis) -> dict[str, list[str]]:
    """The other judged persons who lie outside, each with the properties of their faces by which they do.

    Where the figure is of several faces, any judged person is another one.
    """
    ranges = [each for each in analysis.model.validated if each.name in OF_FACES]
    figured = figured_person(analysis)
    judged = _judged(analysis)
    found: dict[str, list[str]] = {}
    for person in judged if len(judged) > 1 else ():
        if person.quality is None or person is figured:
            continue
        values = _of_faces(person.quality)
        if names := [each.name for each in ranges if _within(values[each.name], each) is False]:
            found[person.id] = names
    return found


def _judged(analysis: Analysis) -> list[Person]:
    return [person for person in analysis.persons if person.probability is not None]


def _of_faces(faces: FaceQuality) -> dict[str, float]:
    return {name: spread.median for name, spread in _spreads(faces).items()} | {_GREY: faces.grey}


def _spreads(faces: FaceQuality) -> dict[str, Spread]:
    return {name: of(faces) for name, of in _SPREAD_OF.items()}


def _within(value: float, wanted: Range) -> bool | None:
    if wanted.least is None and wanted.most is None:  # the card says that it was not measured
        return None
    return (wanted.least is None or value >= wanted.least) and (wanted.most is None or value <= wanted.most)
