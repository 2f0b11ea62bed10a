"""XMP packets (ISO 16684-1), searched by pattern: no XML is expanded, so none can grow."""

from __future__ import annotations

import html
import re
from itertools import islice

from detector.media.exhibit.text import clean
from detector.metadata.formats.texts import LONGEST_TEXT, EmbeddedText
from detector.schema.metadata import Tag

_MOST_BYTES = 1 << 20
_MOST = 64
_MOST_MATCHES = 4096
_MOST_TAGS = 32
# Who made or changed the picture, when, and with what; whatever prefix a packet gives their namespaces.
_NAMES = (
    "CreatorTool", "HistorySoftwareAgent", "softwareAgent", "CreateDate", "ModifyDate", "DigitalSourceType",
    "AISystemUsed", "AISystemVersionUsed", "AIPromptInformation", "AIPromptWriterName", "AIGC", "Credit",
    "Software", "Make", "Model", "UserComment",
)  # fmt: skip
_SPELLING = {name.lower(): name for name in _NAMES}
# As an attribute, as an element (in a list, too), or as an address that an element names.
_PROPERTY = re.compile(
    r"[A-Za-z][\w-]{0,31}:(" + "|".join(_NAMES) + r")"
    r"(?:"
    r"\s{0,9}=\s{0,9}(?:\"([^\"<]{1,9999})\"|'([^'<]{1,9999})')"
    r"|\s[^<>]{0,99}rdf:resource\s{0,9}=\s{0,9}[\"']([^\"'<]{1,999})"
    r"|(?:\s[^<>]{0,200})?>(?:\s{0,99}<rdf:(?:Bag|Seq|Alt|li)\b[^<>]{0,99}>){0,2}\s{0,99}([^<]{1,9999})"
    r")",
    re.IGNORECASE,
)


def xmp_texts(xmp: bytes | str) -> list[EmbeddedText]:
    """What a packet says of the making, each once, in order of the packet."""
    data = xmp[:_MOST_BYTES].decode("utf-8", "replace") if isinstance(xmp, bytes) else xmp[:_MOST_BYTES]
    found: dict[EmbeddedText, None] = {}
    for match in islice(_PROPERTY.finditer(data), _MOST_MATCHES):
        value = next((group for group in match.groups()[1:] if group), "")
        value = html.unescape(value)[:LONGEST_TEXT].strip("\0 \t\r\n")
        if value:
            found.setdefault(EmbeddedText("XMP", _SPELLING[match[1].lower()], value))
        if len(found) == _MOST:
            break
    return list(found)


def xmp_tags(texts: list[EmbeddedText]) -> list[Tag]:
    """The same for showing."""
    return [Tag(place=text.place, name=text.name, value=clean(text.value)) for text in texts[:_MOST_TAGS]]
