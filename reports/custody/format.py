"""Format of the custody log: entries about an exhibit, chained by hashes so that changes show."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from detector.schema.analysis import Value
from detector.schema.formatting import N_, escape_directions
from detector.timestamps import iso_milliseconds
from reports.errors import ReportError

VERSION = "1.0"
ZEROS = "0" * 64  # stands for the hash of an entry before the first
_MARK = "reelproof_custody"
_WHOLE = 2**53 - 1  # beyond it, JSON's numbers are not the same in every language

Action = Literal[
    "log begun",
    "intake",
    "intake again",
    "analysis queued",
    "analysis started",
    "finding published",
    "analysis finished",
    "analysis failed",
    "analysis cancelled",
    "analysis retried",
    "analysis paused",
    "analysis resumed",
    "analysis prioritised",
    "comparison queued",
    "comparison started",
    "comparison finished",
    "comparison failed",
    "comparison cancelled",
    "view",
    "annotation",
    "import",
    "reviewers named",
    "second review",
    "export",
    "case details",
    "deletion",
    "configuration",
    "account",
    "integrity check",
    "backup",
    "restore",
    "purge",
]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z ]{0,39}$")]  # a newer log may know more actions
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _in_calendar(moment: str) -> str:
    datetime.fromisoformat(moment)
    return moment


Moment = Annotated[
    str,
    Field(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$"),
    AfterValidator(_in_calendar),
]
LONGEST_DETAIL = 4000  # characters
Detail = (
    Annotated[str, StringConstraints(max_length=LONGEST_DETAIL)]
    | Annotated[int, Field(ge=-_WHOLE, le=_WHOLE)]
)


class CustodyError(ReportError):
    """A file is not a custody log, or was written by a newer version."""


class EntryBody(Value):
    """Content of an entry: who did what, and when; without its place in the chain."""

    model_config = ConfigDict(strict=True)

    made: Moment  # UTC, to the millisecond
    actor: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    action: Word
    exhibit: Hash | None = None  # its SHA-256
    # An analysis's id, or a comparison's: the field's name is part of what is signed.
    analysis: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None
    details: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9 _]{0,59}$")], Detail] = {}


class Entry(EntryBody):
    """One entry of the log; ``sha256`` is over the canonical JSON of the nine fields before it."""

    number: Annotated[int, Field(ge=1, le=_WHOLE)]
    previous: Hash
    previous_of_exhibit: Hash
    sha256: Hash
    mac: Hash


@dataclass(frozen=True)
class ExportedLog:
    """An exported log: the entries about one exhibit, or all, and the state of the log at that time."""

    exhibit: str | None
    count: int  # entries of the whole log
    head: str  # sha256 of its last entry
    head_mac: str
    exported: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class UnreadableEntry:
    """An entry that cannot be parsed, with the ``problem``."""

    number: int
    problem: str


_FIELDS = (
    "number",
    "made",
    "actor",
    "action",
    "exhibit",
    "analysis",
    "details",
    "previous",
    "previous_of_exhibit",
)
# As annotation_file.canonical, which also treats fractions; an entry has none, and there are many.
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_EXPORT_FIELDS = {_MARK, "exhibit", "count", "head", "head_mac", "exported", "entries"}
_HASH: TypeAdapter[str] = TypeAdapter(Hash)


def entry_body(made: datetime, actor: str, action: Action, **about: Any) -> EntryBody:
    """Return the content of an entry; ``about`` holds ``exhibit``, ``analysis`` and ``details`` if known."""
    return EntryBody(made=iso_milliseconds(made), actor=actor, action=action, **about)


def sign_entry(body: EntryBody, number: int, previous: str, previous_of_exhibit: str, key: bytes) -> Entry:
    """Return the entry with its number, the hashes of the preceding entries, its own hash and its MAC."""
    values = body.model_dump()
    values |= {"number": number, "previous": previous, "previous_of_exhibit": previous_of_exhibit}
    sha256 = entry_sha256(values)
    return Entry(**values, sha256=sha256, mac=mac(key, sha256))


def entry_sha256(fields: dict[str, Any]) -> str:
    """Return the SHA-256 of an entry's nine fields; others are ignored."""
    own = {name: fields[name] for name in _FIELDS}
    return hashlib.sha256(_CANONICAL.encode(own).encode()).hexdigest()


def mac(key: bytes, sha256: str) -> str:
    """Return the HMAC-SHA256 of an entry's hexadecimal hash with the log's key."""
    return hmac.digest(key, sha256.encode(), "sha256").hex()


def export_parts(
    exhibit: str | None, count: int, head: str, head_mac: str, exported: datetime, entries: Iterable[Entry]
) -> Iterator[str]:
    """Yield the text of ``custody.json`` entry by entry: a whole log may not fit into memory."""
    document: dict[str, Any] = {
        _MARK: VERSION,
        "exhibit": exhibit,
        "count": count,
        "head": head,
        "head_mac": head_mac,
        "exported": iso_milliseconds(exported),
        "entries": [],
    }
    before, after = _indented(document).rsplit("]", 1)
    yield before
    lead, end = "\n  ", ""
    for entry in entries:
        yield lead + _indented(to_json(entry)).replace("\n", "\n  ")
        lead, end = ",\n  ", "\n "
    yield f"{end}]{after}\n"


def _indented(values: dict[str, Any]) -> str:
    return escape_directions(json.dumps(values, indent=1, ensure_ascii=False))


def to_json(entry: Entry) -> dict[str, Any]:
    """Return an entry as JSON values, in reading order."""
    return {name: getattr(entry, name) for name in (*_FIELDS, "sha256", "mac")}


def is_export(data: bytes) -> bool:
    """Return whether ``data`` claims to be a ``custody.json``, damaged or not."""
    return f'"{_MARK}"'.encode() in data


def read_export(data: bytes) -> ExportedLog:
    """Parse a ``custody.json`` without checking the chain; raise :class:`CustodyError` if it is invalid."""
    try:
        document = json.loads(data.decode("utf-8"), object_pairs_hook=_unique_names)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or _MARK not in document:
        raise CustodyError(N_("This is not a custody log exported by Reelproof, or it is damaged."))
    if str(document[_MARK]).partition(".")[0] != VERSION.partition(".")[0]:
        raise CustodyError(
            N_("This custody log was exported by a newer version of Reelproof. Check it with that version.")
        )
    if set(document) != _EXPORT_FIELDS or not isinstance(document["entries"], list):
        raise CustodyError(N_("The custody log is incomplete, or something was added to it."))
    exhibit, count = document["exhibit"], document["count"]
    try:
        if exhibit is not None:
            _HASH.validate_python(exhibit)
        for name in ("head", "head_mac"):
            _HASH.validate_python(document[name])
        TypeAdapter(Moment).validate_python(document["exported"])
    except ValidationError:
        raise CustodyError(N_("The head of the custody log cannot be read: it was changed.")) from None
    if type(count) is not int or count < 0:
        raise CustodyError(N_("The count in the custody log is not a number of entries."))
    entries = []
    for place, values in enumerate(document["entries"], 1):
        entry = parse(values, place)
        if isinstance(entry, UnreadableEntry):
            raise CustodyError(entry.problem)
        entries.append(entry)
    return ExportedLog(
        exhibit, count, document["head"], document["head_mac"], document["exported"], tuple(entries)
    )


def parse(values: Any, place: int) -> Entry | UnreadableEntry:
    """Parse an entry; ``place`` is its number if it states none."""
    try:
        return Entry.model_validate(values)
    except ValidationError as error:
        problem = f"{_label(values, place)} cannot be read: {_reason(error)}."
        return UnreadableEntry(_number(values, place), problem)


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object without repeated keys, which readers would interpret differently."""
    if len(unique := dict(pairs)) != len(pairs):
        raise ValueError("a name stands twice")
    return unique


def _label(values: object, place: int) -> str:
    number = _number(values, 0)
    return f"Entry {number}" if number else f"The entry in place {place}"


def _number(values: object, otherwise: int) -> int:
    number = values.get("number") if isinstance(values, dict) else None
    return number if type(number) is int else otherwise


def _reason(error: ValidationError) -> str:
    first = error.errors()[0]
    field = next((str(part) for part in first["loc"] if isinstance(part, str)), "it")
    return f"its {field} is missing" if first["type"] == "missing" else f"its {field} is not valid"
