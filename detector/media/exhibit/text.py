"""Text out of files: bounded, and safe to show."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from detector.schema.formatting import printable
from detector.schema.metadata import Tag

LONGEST = 300  # characters of one value
MOST_TAGS = 200

_PLACE = re.compile(r"location|gps|geo", re.IGNORECASE)
# Not said in words but in other facts already.
_KNOWN_ELSEWHERE = frozenset({"major_brand", "minor_version", "compatible_brands", "language"})


def clean(value: object, longest: int = LONGEST) -> str:
    r"""``value`` as one line: controls, overrides and broken letters as escapes, cut with ``…``.

    ``"a\u202eb"`` would otherwise read backwards, and a megabyte of comment fill a report.
    """
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    # Escapes are up to ten characters for one, so cutting comes first and last.
    shown = printable(text[: longest + 1].strip("\0 \t\r\n"))
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def tags_of(place: str, written: Mapping[str, object]) -> list[Tag]:
    """Tags of one place, without empty ones and those that other facts hold."""
    found = []
    for name, value in written.items():
        text = clean(value)
        if text and name not in _KNOWN_ELSEWHERE:
            found.append(Tag(place=place, name=clean(name, 60), value=text))
    return found


def location_of(tags: Iterable[Tag]) -> str | None:
    """The first place on Earth that tags name."""
    return next((tag.value for tag in tags if _PLACE.search(tag.name)), None)
