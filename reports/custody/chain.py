"""Verification of custody logs: the chain of one log, and an earlier export against a later log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from reports.custody.format import (
    ZEROS,
    CustodyError,
    Entry,
    ExportedLog,
    UnreadableEntry,
    entry_sha256,
    mac,
    read_export,
    to_json,
)

MOST_SET_BACK = 20  # entries made before the one preceding them that are named
# How far from its number an entry that was moved is looked for.
_NEAR = 3


@dataclass
class ChainCheck:
    """Check of a chain, entry by entry; ``whole``: no number may be missing."""

    whole: bool
    key: bytes | None = None
    count: int = 0
    head: str | None = ZEROS  # None: the last entry could not be read
    number: int = 0
    forged: int = 0  # entries whose MAC does not fit the key

    def __post_init__(self) -> None:
        self._last_of: dict[str, str] = {}

    def problems(self, entry: Entry | UnreadableEntry) -> Iterator[str]:
        """Return the problems of the next entry."""
        if isinstance(entry, UnreadableEntry):
            yield entry.problem
            self.number, self.head = max(self.number, entry.number), None
            return
        name, expected = f"Entry {entry.number}", self.number + 1
        self.count += 1
        if entry.number < expected:
            yield f"{name} stands after entry {self.number}: it was put in, or moved."
        elif self.whole and entry.number > expected:
            yield f"{_missing(expected, entry.number - 1)} before entry {entry.number}: removed."
        values = to_json(entry)
        if entry_sha256(values) != entry.sha256:
            moved = _moved_from(values, entry.sha256)
            yield (
                f"{name} was entry {moved} when it was written: entries were moved, removed or put in."
                if moved
                else f"{name} was changed: its content does not give its SHA-256."
            )
        if entry.number == expected and entry.previous != (self.head or entry.previous):
            follows = f"follow entry {self.number}" if self.number else "begin the log"
            yield f"{name} does not {follows}: something was removed, put in or changed there."
        elif entry.number > 1 and entry.previous == ZEROS:
            yield f"{name} names no entry before it."
        yield from self._of_exhibit(entry, name)
        if self.key is not None:
            yield from self._of_key(self.key, entry)
        self.number, self.head = max(self.number, entry.number), entry.sha256

    def end(self) -> Iterator[str]:
        """Return the problems that show after the last entry, which concern the key."""
        if self.forged and self.forged == self.count:
            yield (
                "No entry was written with this key: it is another log's key, "
                "or the whole log was written anew without it."
            )

    def _of_key(self, key: bytes, entry: Entry) -> Iterator[str]:
        """Return one problem for a start written with another key, one for each later such entry."""
        fits = mac(key, entry.sha256) == entry.mac
        if fits and self.forged == self.count - 1 > 0:
            yield f"What stands before entry {entry.number} was not written with this log's key."
        if not fits:
            if self.forged < self.count - 1:
                yield f"Entry {entry.number} was not written with this log's key."
            self.forged += 1

    def _of_exhibit(self, entry: Entry, name: str) -> Iterator[str]:
        if entry.exhibit is None:
            if entry.previous_of_exhibit != ZEROS:
                yield f"{name} is about no exhibit, but names an entry about one."
            return
        if entry.previous_of_exhibit != self._last_of.get(entry.exhibit, ZEROS):
            yield f"{name} does not follow the entry before it about exhibit {entry.exhibit[:12]}…"
        self._last_of[entry.exhibit] = entry.sha256


class ClockCheck:
    """Entries made before the preceding one: a clock was set back, or clocks differ.

    The chain fixes the order of entries, so this is not a sign of forgery by itself.
    """

    def __init__(self) -> None:
        self.set_back: list[tuple[Entry, Entry]] = []  # each with the one preceding it, the first few
        self.more = 0  # of them
        self._last: Entry | None = None

    def noting(self, entries: Iterable[Entry | UnreadableEntry]) -> Iterator[Entry | UnreadableEntry]:
        """Yield the same entries and check each of them."""
        for entry in entries:
            if isinstance(entry, Entry):
                self.note(entry)
            yield entry

    def note(self, entry: Entry) -> None:
        """Check the next entry."""
        if self._last is not None and entry.made < self._last.made:
            if len(self.set_back) < MOST_SET_BACK:
                self.set_back.append((entry, self._last))
            else:
                self.more += 1
        self._last = entry

    def notes(self) -> Iterator[str]:
        """Return the findings as sentences."""
        for entry, before in self.set_back:
            yield (
                f"Entry {entry.number} says that it was made at {entry.made}, before entry {before.number}, "
                f"which precedes it and was made at {before.made}: a clock was set back, or clocks differed."
            )
        if self.more:
            yield f"So do {self.more:,} more entries."


class EarlierExport:
    """Comparison of an earlier export with a later log, entry by entry."""

    def __init__(self, export: ExportedLog, name: str) -> None:
        self.export, self.name = export, name
        self._by_number = {entry.number: entry for entry in export.entries}

    def problems(self, entry: Entry) -> Iterator[str]:
        """Return how the next entry of the log differs from the export."""
        if entry.number > self.export.count:
            return
        known = self._by_number.pop(entry.number, None)
        about = self.export.exhibit in (None, entry.exhibit)
        if known is not None and known.sha256 != entry.sha256:
            yield f"Entry {entry.number} is not the one that {self.name} holds: the log was written anew."
        elif known is not None and known.mac != entry.mac:
            yield f"Entry {entry.number} has another MAC than in {self.name}: it was changed in one of them."
        elif known is None and about:
            yield f"{self.name} does not hold entry {entry.number}: it was taken out of it, or put in here."
        if entry.number == self.export.count and entry.sha256 != self.export.head:
            yield (
                f"Entry {entry.number} is not the last one as {self.name} knew it: "
                "the log was written anew from there or from before."
            )
        elif entry.number == self.export.count and entry.mac != self.export.head_mac:
            yield f"Entry {entry.number} has another MAC than the head of {self.name}: one was changed."

    def end(self, count: int) -> Iterator[str]:
        """Return the problems that show once the log has ended at entry ``count``."""
        if count < self.export.count:
            yield (
                f"The log ends at entry {count}, but had {self.export.count} when {self.name} was exported: "
                f"{_missing(count + 1, self.export.count)}, cut off."
            )
        yield from (
            f"Entry {number}, which {self.name} holds, is not in the log."
            for number in sorted(self._by_number)
            if number <= count
        )


def check_log(
    entries: Iterable[Entry | UnreadableEntry],
    key: bytes | None = None,
    earlier: Sequence[tuple[str, ExportedLog]] = (),
) -> Iterator[str]:
    """Return the problems of a whole log, in order of its entries.

    ``entries`` are sorted by number. ``earlier`` are exports of the same log, with their names for messages.
    """
    chain, exports = (
        ChainCheck(whole=True, key=key),
        [EarlierExport(export, name) for name, export in earlier],
    )
    for entry in entries:
        yield from chain.problems(entry)
        if isinstance(entry, Entry):
            for earlier_export in exports:
                yield from earlier_export.problems(entry)
    yield from chain.end()
    for earlier_export in exports:
        yield from earlier_export.end(chain.number)


def check_export(text: bytes) -> list[str]:
    """Return the problems of a ``custody.json``.

    This needs nothing but the file. It cannot show that entries were cut off the end if others followed in
    the log; a comparison with the log, or a later export, does.
    """
    try:
        return list(_of_export(read_export(text)))
    except CustodyError as problem:
        return [str(problem)]


def export_clock(export: ExportedLog) -> ClockCheck:
    """Check the times of the entries of an exported log."""
    clock = ClockCheck()
    for entry in export.entries:
        clock.note(entry)
    return clock


def exported_too_early(export: ExportedLog) -> Entry | None:
    """Return the last entry of an exported log if it is newer than the export claims to be."""
    last = export.entries[-1] if export.entries else None
    return last if last is not None and export.exported < last.made else None


def export_notes(export: ExportedLog) -> Iterator[str]:
    """Return remarks on the times of an exported log that are no problem by themselves."""
    yield from export_clock(export).notes()
    if (last := exported_too_early(export)) is not None:
        yield (
            f"The log says that it was exported at {export.exported}, before its entry {last.number} was "
            f"made, at {last.made}: a clock was set back, or the moment of the export was changed."
        )


def compare_exports(earlier: bytes, later: bytes) -> list[str]:
    """Return how a later ``custody.json`` contradicts an earlier one.

    Both must cover the whole log or the same exhibit, or the later one the whole log.
    """
    try:
        first, second = read_export(earlier), read_export(later)
    except CustodyError as problem:
        return [str(problem)]
    if second.exhibit is not None and second.exhibit != first.exhibit:
        return ["The two custody logs are not about the same exhibit."]
    earlier_export = EarlierExport(first, "the earlier log")
    if second.count < first.count:
        return list(earlier_export.end(second.count))
    problems = [problem for entry in second.entries for problem in earlier_export.problems(entry)]
    return problems + list(earlier_export.end(second.count))


def _of_export(export: ExportedLog) -> Iterator[str]:
    chain = ChainCheck(whole=export.exhibit is None)
    for entry in export.entries:
        yield from chain.problems(entry)
        if export.exhibit not in (None, entry.exhibit):
            yield f"Entry {entry.number} is not about the exhibit the log was exported for."
    if export.count < chain.number:
        yield f"The log says it had {export.count} entries, but holds entry {chain.number}."
    elif export.exhibit is None and export.count > chain.number:
        yield f"{_missing(chain.number + 1, export.count)} at the end: cut off."
    elif export.count > chain.number and export.head in {entry.sha256 for entry in export.entries}:
        yield f"The head is the SHA-256 of an entry before {export.count}, which is to be the last one."
    elif export.count == chain.number and export.head != chain.head:
        yield f"The head is not the SHA-256 of entry {chain.number}, the last one."
    elif export.count == chain.number and export.entries and export.entries[-1].mac != export.head_mac:
        yield f"The head's MAC is not that of entry {chain.number}, the last one."


def _missing(first: int, last: int) -> str:
    return f"Entry {first} is missing" if first == last else f"Entries {first} to {last} are missing"


def _moved_from(values: dict[str, object], sha256: str) -> int | None:
    number = values["number"]
    assert isinstance(number, int)
    near = (number + step for step in range(-_NEAR, _NEAR + 1))
    return next((n for n in near if entry_sha256(values | {"number": n}) == sha256), None)
