"""Custody logs made up for tests, with their key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from analyses import EXHIBIT_SHA256

from reports.custody import format as custody_format
from reports.custody.chain import check_log
from reports.custody.format import ZEROS, Entry, entry_body, export_parts, sign_entry

KEY = bytes(range(32))
A, B = "a" * 64, "b" * 64
START = datetime(2026, 11, 20, 18, 13, 23, 123000, UTC)
ABOUT = (None, A, B, A, None, A, B, A, B, A)  # the exhibit of each entry


def log(about=ABOUT, key=KEY, start=START, words="ü") -> list[Entry]:
    entries: list[Entry] = []
    last: dict[str | None, str] = {}
    for number, exhibit in enumerate(about, 1):
        happened = entry_body(
            start + timedelta(seconds=number), words, "view", exhibit=exhibit, details={"bytes": number}
        )
        entry = sign_entry(
            happened, number, entries[-1].sha256 if entries else ZEROS, last.get(exhibit, ZEROS), key
        )
        if exhibit:
            last[exhibit] = entry.sha256
        entries.append(entry)
    return entries


def exported(entries, exhibit=None) -> bytes:
    own = [entry for entry in entries if exhibit in (None, entry.exhibit)]
    head = entries[-1]
    return "".join(export_parts(exhibit, len(entries), head.sha256, head.mac, START, own)).encode()


def found(entries, key=KEY, earlier=()) -> list[str]:
    return list(check_log(entries, key, earlier))


def rewritten(entries, key):
    """The same acts, in a chain of its own."""
    again, last = [], {}
    for number, entry in enumerate(entries, 1):
        happened = custody_format.EntryBody(
            **{name: getattr(entry, name) for name in custody_format.EntryBody.model_fields}
        )
        before = again[-1].sha256 if again else ZEROS
        again.append(sign_entry(happened, number, before, last.get(entry.exhibit, ZEROS), key))
        if entry.exhibit:
            last[entry.exhibit] = again[-1].sha256
    return again


def resigned(entry: Entry, **links: str) -> Entry:
    """With other links, and its hash and MAC made anew, as who has the key can."""
    links = {"previous": entry.previous, "previous_of_exhibit": entry.previous_of_exhibit} | links
    body = custody_format.EntryBody(
        **{name: getattr(entry, name) for name in custody_format.EntryBody.model_fields}
    )
    return sign_entry(body, entry.number, key=KEY, **links)


def exported_log(
    exhibit: str = EXHIBIT_SHA256, count: int = 3, actor: str = "Ida\u202e", **details: str
) -> bytes:
    entries = []
    previous = ZEROS
    for number in range(1, count + 1):
        moment = datetime(2026, 11, 20, 9, 0, number % 60, tzinfo=UTC)
        done = entry_body(moment, actor, "view", exhibit=exhibit, details=details)
        entries.append(sign_entry(done, number, previous, previous, b"k" * 32))
        previous = entries[-1].sha256
    moment = datetime(2026, 11, 20, 10, tzinfo=UTC)
    return "".join(export_parts(exhibit, count, previous, entries[-1].mac, moment, entries)).encode()
