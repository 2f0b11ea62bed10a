"""Transparent areas of a picture, under which others may lie."""

from __future__ import annotations

from collections.abc import Iterator

from detector.schema.metadata import LEAST_TRANSPARENT, Anomaly, Details
from detector.schema.translatable import N_


def of_transparency(details: Details) -> Iterator[Anomaly]:
    """Anomalies of a photo's or a video's transparency."""
    # WebM keeps the transparency of VP8 and VP9 beside the pictures, where decoders leave it.
    if any(tag.name.lower() == "alpha_mode" and tag.value == "1" for tag in details.tags):
        yield Anomaly(
            kind=N_("transparency that was not examined"),
            observation=N_(
                "The video says that it has transparent areas. Its whole pictures were examined, as if "
                "nothing of them were transparent."
            ),
            concern=N_("Faces that players hide may have been examined, and the ground behind is missing."),
            innocent=N_("Cut-out persons and lettering for video editing are stored this way."),
        )
    share = details.picture.transparent if details.picture else None
    if not share:
        return
    observation = N_(
        "%(share)s %% of the picture is transparent, wholly or in part. It was examined on a plain "
        "ground, as viewers show it."
    )
    if share < LEAST_TRANSPARENT:
        observation = N_(
            "Less than 0.1 %% of the picture is transparent, wholly or in part. It was examined on a plain "
            "ground, as viewers show it."
        )
    yield Anomaly(
        kind=N_("transparent areas"),
        observation=observation % {"share": f"{100 * share:.1f}"},
        concern=N_(
            "Pixels stay in the file where a program erased them; what lies there is not seen and was not "
            "examined."
        ),
        innocent=N_("Cut-outs, logos, screenshots of windows and round corners are stored this way."),
    )
