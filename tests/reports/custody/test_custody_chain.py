"""The chain of the custody log: what a check finds in a log that somebody touched."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from made_logs import KEY, START, A, B, exported, found, log, resigned, rewritten
from pydantic import ValidationError

from reports.custody import format as custody_format
from reports.custody.chain import MOST_SET_BACK, ClockCheck, check_export, check_log, export_notes
from reports.custody.format import entry_body, read_export, sign_entry, to_json
from reports.review.annotation_file import canonical


def test_the_hash_can_be_computed_from_the_document_alone():
    for entry in log():
        values = to_json(entry)
        own = {name: value for name, value in values.items() if name not in ("sha256", "mac")}
        text = json.dumps(own, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert entry.sha256 == hashlib.sha256(text.encode()).hexdigest()
        assert entry.mac == hmac.new(KEY, entry.sha256.encode(), "sha256").hexdigest()
        assert text == canonical(own)
        assert list(values) == [*own, "sha256", "mac"] and len(own) == 9


def test_an_untouched_log_has_no_problems():
    assert found(log()) == [] == found([])
    assert found(log(), key=None) == []


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


def test_a_changed_entry_with_a_new_hash_breaks_the_chain_and_lacks_a_mac():
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


def test_a_rewritten_log_lacks_macs_and_contradicts_an_earlier_export():
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


def test_entries_with_an_earlier_key_are_one_problem():
    entries = log()
    old = [entry.model_copy(update={"mac": "0" * 64}) for entry in entries[:6]]
    assert found(old + entries[6:]) == ["What stands before entry 7 was not written with this log's key."]


def test_a_clock_that_was_set_back_is_a_note_not_a_problem():
    entries = rewritten(
        [
            entry.model_copy(update={"made": made})
            for entry, made in zip(
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
    entries = [entry.model_copy(update={"made": made[entry.number % 2]}) for entry in log((A,) * 99)]
    assert list(clock.noting(entries)) == entries
    notes = list(clock.notes())
    assert len(notes) == MOST_SET_BACK + 1 and notes[-1] == "So do 29 more entries."


def test_an_entry_about_no_exhibit_follows_none_about_one() -> None:
    entries = log((A, None))
    entries[1] = resigned(entries[1], previous_of_exhibit=entries[0].sha256)
    assert found(entries) == ["Entry 2 is about no exhibit, but names an entry about one."]


@pytest.mark.parametrize(
    "details", [{"share": 0.5}, {"ok": True}, {"list": []}, {"Name": "x"}, {"n": 2**53}, {"x": "y" * 4001}]
)
def test_case_details_are_flat_and_the_same_in_every_language(details):
    with pytest.raises(ValidationError):
        entry_body(START, "x", "view", details=details)
