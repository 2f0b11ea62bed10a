"""Exports of the custody log: written, checked by themselves, compared with each other and the log."""

from __future__ import annotations

import json

import pytest
from made_logs import ABOUT, KEY, START, A, B, exported, found, log, resigned, rewritten

from reports.custody.chain import check_export, compare_exports
from reports.custody.format import ZEROS, export_parts, read_export, to_json


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


@pytest.mark.parametrize("exhibit", [None, A, B])
def test_an_export_checks_by_itself_and_reads_back(exhibit):
    text = exported(log(), exhibit)
    assert check_export(text) == []
    export = read_export(text)
    assert (export.count, export.head, export.exhibit) == (10, log()[-1].sha256, exhibit)
    assert export.exported == "2026-11-20T18:13:23.123Z"
    assert list(export.entries) == [entry for entry in log() if exhibit in (None, entry.exhibit)]


def test_removed_last_entries_show_only_against_an_earlier_export():
    entries = log()
    held = [("friday.json", read_export(exported(entries, A)))]
    assert found(entries[:7]) == []
    problems = found(entries[:7], earlier=held)
    assert problems[0] == (
        "The log ends at entry 7, but had 10 when friday.json was exported: "
        "Entries 8 to 10 are missing, cut off."
    )


def test_a_later_log_fits_an_earlier_export():
    entries = log((*ABOUT, A, B, None))
    held = [(str(n), read_export(exported(entries[:n], A))) for n in (2, 5, 10, 13)]
    assert found(entries, earlier=held) == []


def test_a_changed_mac_in_an_export_contradicts_the_log():
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
    assert "head of the custody log cannot be read" in check_export(json.dumps(document).encode())[0]
    document = json.loads(exported(log(), A))
    document["entries"][0]["made"] = "2026-11-20T24:61:00.000Z"
    assert check_export(json.dumps(document).encode()) == ["Entry 2 cannot be read: its made is not valid."]


def test_an_entry_removed_from_an_export_contradicts_the_log():
    entries = log()
    document = json.loads(exported(entries, A))
    del document["entries"][-2:]
    text = json.dumps(document).encode()
    assert check_export(text) == []  # the log went on after these, with other exhibits
    problems = found(entries, earlier=[("friday.json", read_export(text))])
    assert [p for p in problems if "friday.json does not hold entry" in p] == problems != []


def test_exports_are_compared_with_the_log():
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


def test_an_entry_that_names_none_before_it_is_named_in_an_export_too() -> None:
    """Of one exhibit, whose numbers have gaps, so that nothing else is held against it."""
    entries = log((None, A, None, A))
    entries[3] = resigned(entries[3], previous=ZEROS)
    assert check_export(exported(entries, A)) == ["Entry 4 names no entry before it."]


def test_an_export_of_one_exhibit_holds_no_entry_about_another() -> None:
    document = json.loads(exported(log((A, B, None)))) | {"exhibit": A}
    why = "Entry %s is not about the exhibit the log was exported for."
    assert check_export(json.dumps(document).encode()) == [why % 2, why % 3]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "not a custody log"),
        (b"\xff\xfe", "not a custody log"),
        (b"[]", "not a custody log"),
        (b'{"reelproof_custody":"1.0","reelproof_custody":"1.0"}', "not a custody log"),
        (b'{"reelproof_custody": "2.0"}', "newer version of Reelproof"),
        (b'{"reelproof_custody": "1.0"}', "incomplete"),
        (b"[" * 100_000, "not a custody log"),
    ],
)
def test_other_files_are_refused_in_words(text, words):
    (problem,) = check_export(text)
    assert words in problem


def test_missing_fields_of_an_entry_are_named():
    document = json.loads(exported(log(), A))
    del document["entries"][1]["actor"]
    assert check_export(json.dumps(document).encode()) == ["Entry 4 cannot be read: its actor is missing."]
    document["entries"][1]["actor"] = 7
    assert "its actor is not valid" in check_export(json.dumps(document).encode())[0]
