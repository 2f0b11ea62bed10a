"""What the file declares about its origin, shown apart from the model's finding."""

from __future__ import annotations

from dataclasses import dataclass

from detector.schema.analysis import Analysis
from detector.schema.causes.anomalies import place
from detector.schema.metadata import Declaration, DeclarationKind, HiddenPlace, MarkSearch, Meaning
from language.formatting import file_name, plural, shown
from language.translation import N_, WORDS, Quoted, gettext, text_of

TITLE = N_("What the file declares")
_MEANINGS = {
    Meaning.GENERATED: "generated",
    Meaning.COMPOSITE_WITH_GENERATED: N_("composite with generated parts"),
    Meaning.COMPOSITE: "composite",
    Meaning.EDITED: "edited",
    Meaning.CREATED: N_("made by people with software"),
    Meaning.CAPTURED: "captured",
    Meaning.SCREEN_CAPTURE: N_("screen capture"),
    Meaning.INCONSISTENT: "inconsistent",
    Meaning.UNKNOWN: N_("says nothing about the picture"),
}
# The text of these declarations is written by the engine; that of all others is quoted from the file.
_MEASURED = {DeclarationKind.THUMBNAIL, DeclarationKind.QUANTIZATION_TABLES, DeclarationKind.HIDDEN_MARK}
_MOST = 8  # rows in the table; analysis.json has all of them


@dataclass(frozen=True)
class DeclarationView:
    """One declaration; those with ``is_of_generation`` are highlighted."""

    meaning: str
    is_of_generation: bool
    program: str
    source: str
    says: str
    means: str


@dataclass(frozen=True)
class DeclarationsView:
    """The declarations of a file; ``beside_verdict`` is empty unless the file declares generation."""

    title: str
    note: str
    rows: tuple[DeclarationView, ...]
    rest: str
    beside_verdict: str


def declarations_view(analysis: Analysis) -> DeclarationsView:
    """Return the declarations of an analysis, most significant first."""
    declarations = analysis.declarations or ()
    if analysis.declarations is None:
        note = gettext("This analysis was made with an earlier version, which did not look for declarations.")
    elif any(declaration.is_statement for declaration in declarations):
        note = gettext(
            "This is what the file itself states. Anyone can write or remove such statements, so they prove "
            "nothing by themselves. They did not affect the verdict or any probability."
        )
    else:
        note = gettext(
            "The file declares nothing about its origin. That proves nothing: most files declare nothing, "
            "and any program can remove a declaration."
        )
    if analysis.marks is not None:
        note = f"{note} {_search_words(analysis.marks)}"
    left = len(declarations) - _MOST
    # A hidden mark says more than what anybody can type into a text.
    generated = max(
        (declaration for declaration in declarations if declaration.is_of_generation),
        key=lambda declaration: declaration.hidden is not None,
        default=None,
    )
    return DeclarationsView(
        title=TITLE,
        note=note,
        rows=tuple(_row(declaration) for declaration in declarations[:_MOST]),
        rest=gettext(
            "%(declarations)s in analysis.json.",
            declarations=plural(left, "further declaration", "further declarations"),
        )
        if left > 0
        else "",
        beside_verdict=_beside_verdict(generated) if generated else "",
    )


def _row(declaration: Declaration) -> DeclarationView:
    is_measured = declaration.kind in _MEASURED
    quote = str if is_measured else Quoted
    return DeclarationView(
        meaning=_MEANINGS[declaration.meaning],
        is_of_generation=declaration.is_of_generation,
        program=quote(file_name(declaration.program or "")),
        source=file_name(declaration.source) if is_measured else Quoted(_source(declaration)),
        says=text_of(declaration.measure, file_name(declaration.says)),
        means=text_of(declaration.cause, declaration.means),
    )


def _source(declaration: Declaration) -> str:
    """Name the places of a declaration; the names of places are translated, names in the file are not."""
    return "; ".join(_place(place, declaration.kind) for place in file_name(declaration.source).split("; "))


def _place(text: str, kind: DeclarationKind) -> str:
    where, comma, name = text.partition(", ")
    make, joined, model = name.partition(" and ")
    if joined and kind is DeclarationKind.CAMERA:
        name = gettext("%(first)s and %(second)s", first=make, second=model)
    return f"{place(WORDS, where)}{comma}{name}" if comma else where


def _search_words(search: MarkSearch) -> str:
    """State where hidden marks were looked for, and which cannot be read."""
    pixels = ""
    if search.frames:
        pixels = gettext(
            "The pixels of %(pictures)s were searched for hidden marks.",
            pictures=plural(search.frames, "picture", "pictures"),
        )
    sound = text_of(search.cause, search.note or "")
    if search.sound:
        sound = gettext(
            "%(seconds)s s of sound were searched for the mark of Chatterbox.",
            seconds=shown(search.sound, ".0f"),
        )
    unreadable = gettext(
        "Finding none proves nothing: compression removes marks, and SynthID, Stable Signature, "
        "Tree-Ring and the marks of Meta and OpenAI cannot be read here."
    )
    return " ".join(part for part in (pixels, sound, unreadable) if part)


def _beside_verdict(declaration: Declaration) -> str:
    mark = declaration.hidden
    if mark is not None and mark.place is not HiddenPlace.LOWEST_BITS:
        values = {
            "program": file_name(declaration.program or ""),
            "measure": text_of(declaration.measure, declaration.says),
        }
        if mark.place is HiddenPlace.SOUND:
            return gettext(
                "The sound carries the hidden mark that %(program)s writes; %(measure)s. Anyone can "
                "write it; it did not affect the verdict.",
                **values,
            )
        return gettext(
            "The picture carries the hidden mark that %(program)s writes; %(measure)s. Anyone can "
            "write it; it did not affect the verdict.",
            **values,
        )
    by = gettext(" by %(program)s", program=file_name(declaration.program)) if declaration.program else ""
    if declaration.meaning is Meaning.GENERATED:
        claim = gettext("that it is generated")
    else:
        claim = gettext("that a part of it is generated")
    return gettext(
        "The file itself declares %(what)s%(by)s (%(where)s). This did not affect the verdict.",
        what=claim,
        by=by,
        where=_source(declaration),
    )
