"""Facts about photographs, and about the version that made an analysis, which several sections mention."""

from __future__ import annotations

from detector.schema.analysis import Analysis, Parameters
from detector.schema.causes.cards import CardCode
from language.formatting import plural
from language.translation import cause_text, gettext
from reports.wording.verbal_scale import PHOTOGRAPHS

COVERED_SINCE = "1.21"  # the first schema version that checks whether mouth or eyes are covered

_GROUPS = CardCode.GROUP_PHOTOGRAPHS.code


def made_since(analysis: Analysis, version: str) -> bool:
    """Return whether the analysis has schema version ``version``, such as ``1.15``, or a later one."""
    actual, required = (tuple(map(int, text.split("."))) for text in (analysis.schema_version, version))
    return actual >= required


def excluded_kinds(parameters: Parameters) -> list[tuple[str, str]]:
    """List the kinds of pictures that are not judged, each with the words for a face in such a picture."""
    kinds = (
        (
            parameters.minimum_colour > 0,
            gettext("black-and-white and toned pictures"),
            gettext("without colour"),
        ),
        (
            parameters.minimum_detail > 0,
            gettext("tiny pictures enlarged"),
            gettext("enlarged from a tiny picture"),
        ),
        (
            0 < parameters.maximum_flatness < 1,
            gettext("drawings in flat colours"),
            gettext("drawn in flat colours"),
        ),
    )
    return [(pictures, face) for is_excluded, pictures, face in kinds if is_excluded]


def rates_of_one_person(analysis: Analysis) -> str:
    """Say that the error rates hold for photographs of one person, if several faces were judged.

    Only rates of models with a second look are known to be measured that way.
    """
    model, judged = analysis.model, sum(person.probability is not None for person in analysis.persons)
    measured = model.second_look is not None and any(rate.unit == PHOTOGRAPHS for rate in model.rates)
    if not (analysis.media.still and measured and judged > 1):
        return ""
    sentence = gettext(
        "These rates were measured on photographs of one person. Here, %(faces)s were judged, and it is "
        "more likely that at least one of several faces is flagged by mistake.",
        faces=plural(judged, "face", "faces"),
    )
    groups = [cause_text(cause) for cause in model.limit_causes if cause.code == _GROUPS]
    return " ".join([sentence, *groups])
