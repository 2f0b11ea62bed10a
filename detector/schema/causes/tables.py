"""Tables of all codes and parameters for ``docs/exhibit.md``: ``python -m detector.schema.causes.tables``."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from detector.files import ROOT
from detector.schema.causes.anomalies import AnomalyCode, AnomalyPart, UnusedCode
from detector.schema.causes.cards import CardCode
from detector.schema.causes.cause import PARAMETERS, CauseCode
from detector.schema.causes.comparisons import (
    ComparisonCode,
    ComparisonLimitCode,
    GapCode,
    PictureChangeCode,
)
from detector.schema.causes.declarations import (
    DeclarationCode,
    MeasureCode,
    NoteCode,
    SignatureCode,
    SourceTypeCode,
)
from detector.schema.causes.failures import ErrorCode, FailureCode
from detector.schema.causes.joint import JointCode
from detector.schema.causes.reasons import ReasonCode
from detector.schema.causes.remarks import RemarkCode
from detector.schema.causes.spans import SpanCode
from detector.schema.causes.validations import (
    LevelCode,
    MaterialCode,
    RepetitionCode,
    ThresholdCode,
    ValidationLimitCode,
)
from detector.schema.causes.voices import VoiceCode

SUBJECTS: tuple[type[CauseCode], ...] = (
    ReasonCode, RemarkCode, JointCode, SpanCode, VoiceCode, CardCode, AnomalyCode, AnomalyPart, UnusedCode,
    DeclarationCode, MeasureCode, SourceTypeCode, SignatureCode, NoteCode, ComparisonCode, PictureChangeCode,
    GapCode, ComparisonLimitCode, MaterialCode, LevelCode, RepetitionCode, ThresholdCode, ValidationLimitCode,
    FailureCode, ErrorCode,
)  # fmt: skip
DOCUMENT = ROOT / "docs" / "exhibit.md"
_BEGIN, _END = "<!-- codes: written by `make schema` -->\n", "<!-- end of codes -->\n"


_WORDS = 7  # of a sentence; `text` of a cause has it whole


def tables() -> str:
    """Return a table for each subject, with the first words of the sentences, and one of the parameters."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield "The first words of each sentence; `text` has it whole.\n"
    for subject in SUBJECTS:
        yield f"**{inspect.getdoc(subject)}**\n"
        yield "|code: parameters|English|\n|---|---|"
        for code in subject:
            names = ", ".join(f"`{name}`" for name in dict.fromkeys(code.parameters))
            yield f"|`{code.code}`{': ' if names else ''}{names}|{_english(code)}|"
        yield ""
    yield "**Parameters.**\n\n|name|type|meaning|\n|---|---|---|"
    for name, parameter in sorted(PARAMETERS.items()):
        type_name = "list" if parameter.type is tuple else parameter.type.__name__
        yield f"|`{name}`|{type_name}|{parameter.meaning}|"
    yield ""


def _english(code: CauseCode) -> str:
    message = code.message if isinstance(code.message, str) else inspect.getdoc(code.message) or ""
    words = message.replace("%(", "*").replace(")s", "*").replace("%%", "%").split()
    return " ".join(words[:_WORDS]) + (" …" if words[_WORDS:] else "")


def with_tables(document: str) -> str:
    """Return the document with its tables written anew."""
    before, _, rest = document.partition(_BEGIN)
    return f"{before}{_BEGIN}\n{tables()}\n{_END}{rest.partition(_END)[2]}"


if __name__ == "__main__":
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text("utf-8")), "utf-8")
