"""The custody log: entries, exports, and what a check finds in a log that somebody touched."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from reports.custody import format as custody_format
from reports.custody.chain import (
    MOST_SET_BACK,
    ClockCheck,
    check_export,
    check_log,
    compare_exports,
    export_notes,
)
from reports.custody.format import (
    ZEROS,
    Entry,
    entry_body,
    export_parts,
    read_export,
    sign_entry,
    to_json,
)
from reports.review.annotation_file import canonical

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


def test_the_hash_can_be_computed_from_the_document_alone():
    for entry in log():
        values = to_json(entry)
        own = {name: value for name, value in values.items() if name not in ("sha256", "mac")}
        text = json.dumps(own, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert entry.sha256 == hashlib.sha256(text.encode()).hexdigest()
        assert entry.mac == hmac.new(KEY, entry.sha256.encode(), "sha256").hexdigest()
        assert text == canonical(own)
        assert list(values) == [*own, "sha256", "mac"] and len(own) == 9


@pytest.mark.parametrize("number", [0, 1, 3])
def test_an_export_is_written_entry_by_entry_as_one_document(number):
    taken = []

    def entries():
        for entry in log()[:number]:
            taken.append(entry)
            yield entry

    parts = []
    for part in export_parts(None, 3, ZEROS, ZEROS, START, entries()):
        parts.append(part)
        assert len(taken) == min(len(parts) - 1, number)
    text = "".join(parts)
    assert text == json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n"
    assert json.loads(text)["entries"] == [to_json(entry) for entry in taken]


def test_an_untouched_log_has_no_problems():
    assert found(log()) == [] == found([])
    assert found(log(), key=None) == []


@pytest.mark.parametrize("exhibit", [None, A, B])
def test_an_export_checks_by_itself_and_reads_back(exhibit):
    text = exported(log(), exhibit)
    assert check_export(text) == []
    export = read_export(text)
    assert (export.count, export.head, export.exhibit) == (10, log()[-1].sha256, exhibit)
    assert export.exported == "2026-11-20T18:13:23.123Z"
    assert list(export.entries) == [each for each in log() if exhibit in (None, each.exhibit)]


@pytest.mark.parametrize(
    "change",
    [
        {"actor": "somebody else"},
        {"made": "2026-11-20T18:13:23.124Z"},
        {"action": "export"},
        {"exhibit": B},
        {"details": {"bytes": 7}},
        {"analysis": "0" * 32},
    ],
)
def test_a_changed_entry_is_named(change):
    entries = log()
    entries[3] = entries[3].model_copy(update=change)
    problems = found(entries)
    assert "Entry 4 was changed: its content does not give its SHA-256." in problems
    assert all("Entry 4 " in p or "exhibit" in p for p in problems)


def test_a_changed_entry_with_its_hash_made_anew_breaks_the_chain_and_has_no_mac():
    entries = log()
    changed = entries[3].model_copy(update={"actor": "x"})
    entries[3] = changed.model_copy(update={"sha256": custody_format.entry_sha256(to_json(changed))})
    problems = found(entries)
    assert "Entry 4 was not written with this log's key." in problems
    assert "Entry 5 does not follow entry 4: something was removed, put in or changed there." in problems
    assert "Entry 6 does not follow the entry before it about exhibit aaaaaaaaaaaa…" in problems
    assert len(problems) == 3


@pytest.mark.parametrize("place", range(1, 10))
def test_a_removed_entry_is_named(place):
    entries = log()
    del entries[place - 1]
    assert f"Entry {place} is missing before entry {place + 1}: removed." in found(entries)


def test_several_removed_entries_are_one_line():
    entries = log()
    del entries[3:6]
    assert "Entries 4 to 6 are missing before entry 7: removed." in found(entries)


def test_a_removed_entry_hidden_by_new_numbers_is_found():
    entries = log()
    del entries[3]
    entries = [entry.model_copy(update={"number": n}) for n, entry in enumerate(entries, 1)]
    problems = found(entries)
    assert problems[0].startswith("Entry 4 was entry 5 when it was written")


def test_reordered_entries_are_found():
    entries = log()
    entries[4], entries[5] = (
        entries[5].model_copy(update={"number": 5}),
        entries[4].model_copy(update={"number": 6}),
    )
    problems = found(entries)
    assert problems[0].startswith("Entry 5 was entry 6 when it was written")
    assert any(p.startswith("Entry 6 was entry 5 when it was written") for p in problems)


def test_an_inserted_entry_is_found():
    entries = log()
    fake = sign_entry(
        entry_body(START, "x", "view", exhibit=A), 5, entries[3].sha256, entries[3].sha256, b"no key"
    )
    moved = [entry.model_copy(update={"number": entry.number + 1}) for entry in entries[4:]]
    problems = found(entries[:4] + [fake] + moved)
    assert problems[0] == "Entry 5 was not written with this log's key."
    assert problems[1].startswith("Entry 6 was entry 5 when it was written")
    # One put in without moving the others has a number that is taken.
    assert "Entry 4 stands after entry 4: it was put in, or moved." in found(
        entries[:4] + [entries[3]] + entries[4:]
    )


def test_a_cut_tail_shows_against_an_earlier_export_only():
    entries = log()
    held = [("friday.json", read_export(exported(entries, A)))]
    assert found(entries[:7]) == []
    problems = found(entries[:7], earlier=held)
    assert problems[0] == (
        "The log ends at entry 7, but had 10 when friday.json was exported: "
        "Entries 8 to 10 are missing, cut off."
    )


def test_a_log_written_anew_has_no_mac_and_does_not_fit_an_earlier_export():
    entries = log()
    forged = rewritten([e.model_copy(update={"actor": "nobody"}) for e in entries], b"guessed")
    assert found(forged, key=None) == []
    assert found(forged) == [
        "No entry was written with this key: it is another log's key, "
        "or the whole log was written anew without it."
    ]
    # Even who has the key cannot change what an export holds.
    with_key = rewritten([e.model_copy(update={"actor": "nobody"}) for e in entries], KEY)
    assert found(with_key) == []
    problems = found(with_key, earlier=[("friday.json", read_export(exported(entries, B)))])
    assert any(p.startswith("Entry 3 is not the one that friday.json holds") for p in problems)
    assert any(p.startswith("Entry 10 is not the last one as friday.json knew it") for p in problems)


def test_a_start_written_with_another_key_is_one_line():
    entries = log()
    old = [entry.model_copy(update={"mac": "0" * 64}) for entry in entries[:6]]
    assert found(old + entries[6:]) == ["What stands before entry 7 was not written with this log's key."]


def test_a_later_log_fits_an_earlier_export():
    entries = log((*ABOUT, A, B, None))
    held = [(str(n), read_export(exported(entries[:n], A))) for n in (2, 5, 10, 13)]
    assert found(entries, earlier=held) == []


def test_a_mac_that_was_changed_in_an_export_shows_against_the_log():
    entries = log()
    document = json.loads(exported(entries, A))
    document["entries"][0]["mac"] = "0" * 64
    text = json.dumps(document).encode()
    assert check_export(text) == []  # without the key nobody can tell
    assert found(entries, earlier=[("friday.json", read_export(text))]) == [
        "Entry 2 has another MAC than in friday.json: it was changed in one of them."
    ]
    assert compare_exports(text, exported(entries, A)) != []
    of_another = json.loads(exported(entries, B)) | {"head_mac": "0" * 64}
    held = [("friday.json", read_export(json.dumps(of_another).encode()))]
    assert found(entries, earlier=held) == [
        "Entry 10 has another MAC than the head of friday.json: one was changed."
    ]


def test_a_moment_is_one_of_the_calendar():
    document = json.loads(exported(log(), A)) | {"exported": "2020-02-31T03:59:03.705Z"}
    assert "head cannot be read" in check_export(json.dumps(document).encode())[0]
    document = json.loads(exported(log(), A))
    document["entries"][0]["made"] = "2026-11-20T24:61:00.000Z"
    assert check_export(json.dumps(document).encode()) == [
        "Entry 2 cannot be read: its made is not as it can be."
    ]


def test_a_clock_that_was_set_back_is_noted_and_is_no_problem():
    entries = rewritten(
        [
            each.model_copy(update={"made": made})
            for each, made in zip(
                log((A, A, A)),
                ("2026-11-20T09:00:00.000Z", "2031-01-01T00:00:00.000Z", "2019-05-05T00:00:00.000Z"),
                strict=True,
            )
        ],
        KEY,
    )
    clock = ClockCheck()
    assert list(check_log(clock.noting(entries), KEY)) == []
    (note,) = clock.notes()
    assert note.startswith("Entry 3 says that it was made at 2019-05-05T00:00:00.000Z, before entry 2, ")
    text = exported(entries, A)
    assert check_export(text) == [] and list(export_notes(read_export(text))) == [note]
    early = json.dumps(json.loads(text) | {"exported": "2015-01-01T00:00:00.000Z"}).encode()
    assert check_export(early) == []
    assert "before its entry 3 was made" in list(export_notes(read_export(early)))[1]
    assert list(export_notes(read_export(exported(log()[:1])))) != []  # made a second after it was exported


def test_a_clock_that_runs_backwards_does_not_fill_the_page():
    clock = ClockCheck()
    made = ("2026-11-20T09:00:00.000Z", "2026-11-20T08:00:00.000Z")
    entries = [each.model_copy(update={"made": made[each.number % 2]}) for each in log((A,) * 99)]
    assert list(clock.noting(entries)) == entries
    notes = list(clock.notes())
    assert len(notes) == MOST_SET_BACK + 1 and notes[-1] == "So do 29 more entries."


def test_an_entry_taken_out_of_an_export_shows_against_the_log():
    entries = log()
    document = json.loads(exported(entries, A))
    del document["entries"][-2:]
    text = json.dumps(document).encode()
    assert check_export(text) == []  # the log went on after these, with other exhibits
    problems = found(entries, earlier=[("friday.json", read_export(text))])
    assert [p for p in problems if "friday.json does not hold entry" in p] == problems != []


def test_exports_are_compared():
    entries = log((*ABOUT, A, B, A))
    earlier, later = exported(entries[:10], A), exported(entries, A)
    assert compare_exports(earlier, later) == []
    assert compare_exports(earlier, exported(entries)) == []
    assert compare_exports(later, earlier)[0].startswith("The log ends at entry 10, but had 13")
    assert compare_exports(earlier, exported(entries, B)) == [
        "The two custody logs are not about the same exhibit."
    ]
    other = rewritten([e.model_copy(update={"actor": "nobody"}) for e in entries], KEY)
    assert "Entry 2 is not the one" in compare_exports(earlier, exported(other, A))[0]
    assert "written anew" in compare_exports(exported(entries[:10], B), exported(other))[-1]


def test_every_byte_of_an_export_counts():
    """But for what the chain does not cover: the minor version, the moment of exporting, older MACs.

    What the log, or another export, holds against it.
    """
    text = exported(log()[:4], A)
    document = json.loads(text)
    compact = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    when = compact.index(b'"exported":"') + len(b'"exported":"')
    free = {compact.index(b"1.0") + 2, *range(when, when + 24)}
    for place in range(len(compact)):
        if place in free or _in_mac(compact, place):
            continue
        flipped = bytearray(compact)
        flipped[place] ^= 1
        assert check_export(bytes(flipped)), (place, compact[place - 20 : place + 20])


def _in_mac(text: bytes, place: int) -> bool:
    at = text.rfind(b'"mac":"', 0, place + 1)
    return at >= 0 and at + 7 <= place < at + 71


def test_the_head_belongs_to_the_last_entry():
    document = json.loads(exported(log(), A))
    assert check_export(json.dumps(document | {"head": "c" * 64}).encode()) == [
        "The head is not the SHA-256 of entry 10, the last one."
    ]
    assert check_export(json.dumps(document | {"head_mac": "c" * 64}).encode()) == [
        "The head's MAC is not that of entry 10, the last one."
    ]
    assert check_export(json.dumps(document | {"count": 9}).encode()) == [
        "The log says it had 9 entries, but holds entry 10."
    ]


def resigned(entry: Entry, **links: str) -> Entry:
    """With other links, and its hash and MAC made anew, as who has the key can."""
    links = {"previous": entry.previous, "previous_of_exhibit": entry.previous_of_exhibit} | links
    body = custody_format.EntryBody(
        **{name: getattr(entry, name) for name in custody_format.EntryBody.model_fields}
    )
    return sign_entry(body, entry.number, key=KEY, **links)


def test_an_entry_that_names_none_before_it_is_named_in_an_export_too() -> None:
    """Of one exhibit, whose numbers have gaps, so that nothing else is held against it."""
    entries = log((None, A, None, A))
    entries[3] = resigned(entries[3], previous=ZEROS)
    assert check_export(exported(entries, A)) == ["Entry 4 names no entry before it."]


def test_an_entry_about_no_exhibit_follows_none_about_one() -> None:
    entries = log((A, None))
    entries[1] = resigned(entries[1], previous_of_exhibit=entries[0].sha256)
    assert found(entries) == ["Entry 2 is about no exhibit, but names an entry about one."]


def test_an_export_of_one_exhibit_holds_no_entry_about_another() -> None:
    document = json.loads(exported(log((A, B, None)))) | {"exhibit": A}
    why = "Entry %s is not about the exhibit the log was exported for."
    assert check_export(json.dumps(document).encode()) == [why % 2, why % 3]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "no custody log"),
        (b"\xff\xfe", "no custody log"),
        (b"[]", "no custody log"),
        (b'{"reelproof_custody":"1.0","reelproof_custody":"1.0"}', "no custody log"),
        (b'{"reelproof_custody": "2.0"}', "newer Reelproof"),
        (b'{"reelproof_custody": "1.0"}', "not complete"),
        (b"[" * 100_000, "no custody log"),
    ],
)
def test_other_files_are_refused_in_words(text, words):
    (problem,) = check_export(text)
    assert words in problem


def test_what_an_entry_lacks_is_said():
    document = json.loads(exported(log(), A))
    del document["entries"][1]["actor"]
    assert check_export(json.dumps(document).encode()) == ["Entry 4 cannot be read: its actor is missing."]
    document["entries"][1]["actor"] = 7
    assert "its actor is not as it can be" in check_export(json.dumps(document).encode())[0]


@pytest.mark.parametrize(
    "details", [{"share": 0.5}, {"ok": True}, {"list": []}, {"Name": "x"}, {"n": 2**53}, {"x": "y" * 4001}]
)
def test_details_are_flat_and_alike_in_every_language(details):
    with pytest.raises(ValidationError):
        entry_body(START, "x", "view", details=details)
