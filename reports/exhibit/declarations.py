"""What the file declares about its origin, shown apart from the model's finding."""

from __future__ import annotations

from dataclasses import dataclass

from detector.schema.analysis import Analysis
from detector.schema.metadata import Declaration, DeclarationKind, Meaning
from reports.language.formatting import file_name, plural
from reports.language.translation import N_, Quoted, gettext, translated

TITLE = N_("What the file declares")
_NOT_LOOKED_FOR = N_("This analysis was made by an earlier version, which did not look for declarations.")
_NOTHING = N_(
    "The file declares nothing about its making. That proves nothing: most files "
    "say nothing, and any program can remove what one says."
)
_SOMETHING = N_(
    "This is what the file itself says. Anybody can write or remove it, so it "
    "proves nothing by itself; it did not enter the verdict or any probability."
)
_MEANINGS = {
    Meaning.GENERATED: "generated",
    Meaning.COMPOSITE_WITH_GENERATED: N_("composite with generated parts"),
    Meaning.COMPOSITE: "composite",
    Meaning.EDITED: "edited",
    Meaning.CREATED: N_("made by people with software"),
    Meaning.CAPTURED: "captured",
    Meaning.SCREEN_CAPTURE: N_("screen capture"),
    Meaning.INCONSISTENT: "inconsistent",
    Meaning.UNKNOWN: N_("says nothing of the picture"),
}
# Of these, all that is said is the engine's; of others what stands in the file is.
_MEASURED = {DeclarationKind.THUMBNAIL, DeclarationKind.QUANTIZATION_TABLES}
_MOST = 8  # listed; analysis.json has all of them


@dataclass(frozen=True)
class DeclarationView:
    """One declaration; ``meaning`` in words, ``is_of_generation`` for those to be seen first."""

    meaning: str
    is_of_generation: bool
    program: str
    source: str
    says: str
    means: str


@dataclass(frozen=True)
class DeclarationsView:
    """All that pages and reports show of them; ``beside_verdict`` is empty unless generation is declared."""

    title: str
    note: str
    rows: tuple[DeclarationView, ...]
    rest: str
    beside_verdict: str


def declarations_view(analysis: Analysis) -> DeclarationsView:
    """The view of an analysis's declarations, most telling first."""
    found = analysis.declarations or ()
    if analysis.declarations is None:
        note = _NOT_LOOKED_FOR
    else:
        note = _SOMETHING if any(each.is_statement for each in found) else _NOTHING
    left = len(found) - _MOST
    generated = next((each for each in found if each.is_of_generation), None)
    return DeclarationsView(
        title=TITLE,
        note=note,
        rows=tuple(_row(each) for each in found[:_MOST]),
        rest=gettext(
            "%(declarations)s in analysis.json.",
            declarations=plural(left, "further declaration", "further declarations"),
        )
        if left > 0
        else "",
        beside_verdict=_beside_verdict(generated) if generated else "",
    )


def _row(each: Declaration) -> DeclarationView:
    is_measured = each.kind in _MEASURED
    stated = str if is_measured else Quoted
    return DeclarationView(
        meaning=_MEANINGS[each.meaning],
        is_of_generation=each.is_of_generation,
        program=stated(file_name(each.program or "")),
        source=file_name(each.source) if is_measured else Quoted(_source(each)),
        says=stated(file_name(each.says)),
        means=each.means,
    )


def _source(each: Declaration) -> str:
    """Where it stands, or all that it stands in: places are ours, names behind them the file's."""
    return "; ".join(_place(told, each.kind) for told in file_name(each.source).split("; "))


def _place(told: str, kind: DeclarationKind) -> str:
    place, comma, name = told.partition(", ")
    make, joined, model = name.partition(" and ")
    if joined and kind is DeclarationKind.CAMERA:
        name = gettext("%(first)s and %(second)s", first=make, second=model)
    return f"{translated(place)}{comma}{name}" if comma else place


def _beside_verdict(each: Declaration) -> str:
    by = gettext(" by %(program)s", program=file_name(each.program)) if each.program else ""
    where = _source(each)
    what = (
        gettext("that this is generated")
        if each.meaning is Meaning.GENERATED
        else gettext("that a part of this is generated")
    )
    return gettext(
        "The file itself declares %(what)s%(by)s (%(where)s). That is no part of the verdict.",
        what=what,
        by=by,
        where=where,
    )
