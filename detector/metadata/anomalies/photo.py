"""Thumbnail, compression tables and further pictures of a photo file, where they are unusual."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from detector.metadata.anomalies.programs import listed
from detector.schema.metadata import Anomaly, Details, Photo, Tag
from detector.schema.translatable import N_

# Below this correlation thumbnail and picture differ; docs/exhibit.md says what was measured.
_UNLIKE = 0.9
_WITH_MAIN = frozenset({"HEIF", "AVIF"})  # one picture, at any place, is the primary item


def of_photo(details: Details) -> Iterator[Anomaly]:
    """Anomalies of a photo file."""
    if details.photo is None:
        return
    yield from _thumbnail(details.photo)
    yield from _tables(details.photo, details.tags)
    yield from _colours(details.photo)
    yield from _further_pictures(details.photo)


def _thumbnail(photo: Photo) -> Iterator[Anomaly]:
    thumb = photo.thumbnail
    if thumb is not None and thumb.correlation is not None and thumb.correlation < _UNLIKE:
        yield Anomaly(
            kind=N_("thumbnail differs"),
            observation=N_(
                "The EXIF thumbnail (%(width)s×%(height)s px) differs from the picture "
                "(correlation %(correlation)s)."
            )
            % {"width": thumb.width, "height": thumb.height, "correlation": f"{thumb.correlation:.2f}"},
            concern=N_("The picture may have been changed by a program that kept the old thumbnail."),
            innocent=N_("Cropping, turning, filters and some phones' own processing have the same effect."),
        )


def _tables(photo: Photo, tags: Sequence[Tag]) -> Iterator[Anomaly]:
    software = [t for t in tags if t.name in {"Software", "CreatorTool", "ProcessingSoftware"}]
    if photo.tables and not all(table.exact for table in photo.tables) and software:
        yield Anomaly(
            kind=N_("unusual compression tables"),
            observation=N_("The JPEG's tables are not libjpeg's, and tags name software: %(listed)s.")
            % {"listed": listed(software)},
            concern=N_("Programs have tables of their own, so the picture was perhaps saved by one."),
            innocent=N_("Most cameras have tables of their own too and name their firmware in the same tag."),
        )


def _colours(photo: Photo) -> Iterator[Anomaly]:
    if photo.colours == "unusable":
        yield Anomaly(
            kind=N_("unusable colour profile"),
            observation=N_(
                "What the file says of its colours cannot be used. They were examined as they are stored, as "
                "sRGB."
            ),
            concern=N_("A program that makes something of it shows other colours than those examined."),
            innocent=N_("Some programs write damaged profiles, or those of another kind of picture."),
        )


def _further_pictures(photo: Photo) -> Iterator[Anomaly]:
    if photo.frames > 1:
        yield Anomaly(
            kind=N_("more than one picture"),
            observation=(
                N_("The file holds %(frames)s pictures; the one marked as main was examined.")
                if photo.format in _WITH_MAIN
                else N_("The file holds %(frames)s pictures; the first one was examined.")
            )
            % {"frames": f"{photo.frames:,}"},
            concern=N_("What the others show was not looked at."),
            innocent=N_("Animations, and depth or preview pictures that phones store beside the photo."),
        )
