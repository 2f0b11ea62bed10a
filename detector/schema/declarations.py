"""What a file itself says of its making, and what that would mean if it is true. Nothing vouches for it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from pydantic import Field

from detector.schema.base import Value

LONGEST_DECLARED = 300
"""Characters of any text of a declaration."""
MOST_DECLARATIONS = 32
"""Declarations kept of one file."""
_FEW, _SHORT = 5, 80  # in lines: declarations, and characters of each part


class DeclarationKind(StrEnum):
    """By what a file says something of its making."""

    DIGITAL_SOURCE_TYPE = "digital source type"
    CONTENT_CREDENTIALS = "content credentials"
    AI_LABEL = "AI label"
    GENERATION_PARAMETERS = "generation parameters"
    SOFTWARE = "software"
    CAMERA = "camera"
    THUMBNAIL = "thumbnail"
    QUANTIZATION_TABLES = "quantization tables"


class Meaning(StrEnum):
    """How the picture came about if the declaration is true; the terms follow IPTC's digital source types."""

    GENERATED = "generated"
    COMPOSITE_WITH_GENERATED = "composite_with_generated"
    COMPOSITE = "composite"
    EDITED = "edited"
    CREATED = "created"
    CAPTURED = "captured"
    SCREEN_CAPTURE = "screen_capture"
    INCONSISTENT = "inconsistent"
    UNKNOWN = "unknown"


class Declaration(Value):
    """One thing that a file says of its making, or that its parts show of it."""

    kind: DeclarationKind
    source: str = Field(
        max_length=LONGEST_DECLARED, description="where in the file, such as 'XMP DigitalSourceType'"
    )
    says: str = Field(
        max_length=LONGEST_DECLARED, description="as written; cut with …, control characters as escapes"
    )
    means: str = Field(max_length=LONGEST_DECLARED, description="in plain words, if it is true")
    program: str | None = Field(
        default=None, max_length=LONGEST_DECLARED, description="what is named as the maker, where known"
    )
    meaning: Meaning

    @property
    def is_statement(self) -> bool:
        """It was written as a statement; thumbnails and tables are traces of how the file was saved."""
        return self.kind not in (DeclarationKind.THUMBNAIL, DeclarationKind.QUANTIZATION_TABLES)

    @property
    def short(self) -> str:
        """In a few words, such as ``generated: ComfyUI (PNG text, prompt)``."""
        meaning = self.meaning.replace("_", " ")
        return f"{meaning}: {_cut(self.program or self.says)} ({_cut(self.source)})"

    @property
    def is_of_generation(self) -> bool:
        """It says that all or a part of the picture was generated."""
        return self.meaning in (Meaning.GENERATED, Meaning.COMPOSITE_WITH_GENERATED)


def statements(declarations: Iterable[Declaration] | None) -> list[Declaration]:
    """Those that were written as statements, the first few of them."""
    return [each for each in declarations or () if each.is_statement][:_FEW]


def _cut(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"
