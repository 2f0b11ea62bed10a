"""Facts of both files, and of how the picture of the exhibit lies in that of the reference."""

from __future__ import annotations

from collections.abc import Iterator

from detector.schema.analysis import MediaKind
from detector.schema.comparison import ComparedFile, Comparison, Transform
from reports.text import numbers
from reports.text.numbers import shown, timecode
from reports.text.translation.language import Quoted, gettext
from reports.view.facts import Fact


def file_facts(file: ComparedFile) -> Iterator[Fact]:
    """What one of the two files is."""
    yield Fact(gettext("File"), Quoted(numbers.file_name(file.file)))
    yield Fact("SHA-256", file.sha256, exact=True)
    yield Fact(gettext("Size"), numbers.size(file.bytes))
    yield Fact(gettext("Picture"), f"{file.width} × {file.height} px")
    if file.kind is MediaKind.VIDEO:
        yield Fact(gettext("Length"), timecode(file.duration))
        yield Fact(gettext("Frame rate"), numbers.average_rate(file.frame_rate))


def transform_facts(comparison: Comparison, found: Transform) -> Iterator[Fact]:
    """Scale, stretch, mirroring, rotation, crop and bars of the exhibit, and how sure they are."""
    yield Fact(
        gettext("Scale"),
        gettext("the same size") if abs(found.scale - 1) < 0.005 else shown(found.scale, ".3f"),
        "" if abs(found.scale - 1) < 0.005 else gettext("pixels of the exhibit to one of the reference"),
    )
    if abs(found.stretch - 1) >= 0.005:
        yield Fact(gettext("Stretch"), shown(found.stretch, ".3f"), gettext("width against height"))
    yield Fact(
        gettext("Mirrored"), gettext("yes, left and right are exchanged") if found.mirror else gettext("no")
    )
    yield Fact(
        gettext("Rotation"),
        gettext("none")
        if abs(found.rotation) < 0.05
        else gettext("%(rotation)s° clockwise", rotation=shown(found.rotation, ".1f")),
    )
    reference = comparison.reference
    x0, y0, x1, y1 = found.crop
    share = (x1 - x0) * (y1 - y0) / (reference.width * reference.height)
    # Nothing is cut off where the edges are a pixel of either file off, or no further than the view is.
    room = max(1.0, found.uncertainty) * max(1.0, 1 / found.scale)
    whole = max(x0, y0, reference.width - x1, reference.height - y1) <= room
    crop = (
        gettext("the whole picture")
        if whole
        else gettext(
            "%(share)s of its picture", share=shown(min(share, 0.999), ".0%" if share < 0.995 else ".1%")
        )
    )
    yield Fact(gettext("Part of the reference shown"), crop, "" if whole else numbers.box(found.crop))
    left, top, right, bottom = found.shown
    bars = 1 - (right - left) * (bottom - top) / (comparison.exhibit.width * comparison.exhibit.height)
    if bars > 0.005:
        yield Fact(
            gettext("Bars or captions added"),
            gettext("%(bars)s of the exhibit's picture", bars=shown(bars, ".0%")),
        )
    off = (
        gettext("less than 0.1 px") if found.uncertainty < 0.1 else f"± {shown(found.uncertainty, '.1f')} px"
    )
    yield Fact(gettext("Uncertainty"), off, gettext("at the corners of the exhibit's picture"))
