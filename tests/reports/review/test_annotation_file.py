"""Annotations as JSON and as a file: what is written, what is read, what is refused and why."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.timestamps import iso_milliseconds
from reports.review.annotation_file import (
    AnnotationFileError,
    canonical,
    checksum,
    file_text,
    parse,
    read_file,
    to_json,
)
from reports.review.annotations import ANNOTATION, Annotation

ABOUT = {"analysis": "a" * 32, "analysis_sha256": "b" * 64, "exhibit_sha256": "c" * 64}
MADE = datetime(2026, 11, 20, 15, 4, 5, 678_901, UTC)


def values(**more: Any) -> dict[str, Any]:
    return {
        "id": "1" * 32,
        "author": "Ann",
        "made": "2026-11-20T15:04:05.678Z",
        "kind": "exhibit",
        "verdict": "agree",
        **more,
    }


def one(**more: Any) -> Annotation:
    return ANNOTATION.validate_python(values(**more))


SPAN: dict[str, Any] = {"kind": "span", "verdict": "manipulated", "start": 1.0, "end": 2.0004999}


def test_json_values_have_milliseconds_and_no_empty_fields() -> None:
    span = one(**SPAN, made=MADE)
    assert to_json(span) == values(kind="span", verdict="manipulated", start=1, end=2, note="")
    assert json.dumps(to_json(span)["start"]) == "1"  # as JavaScript writes it
    elsewhere = MADE.astimezone(timezone(timedelta(hours=9)))
    assert iso_milliseconds(elsewhere) == "2026-11-20T15:04:05.678Z"
    assert "person" not in to_json(span)


def test_parsed_annotations_keep_no_other_fields() -> None:
    annotation = parse(values(made="2026-11-20T16:04:05.678999+01:00"))
    assert annotation.made == MADE.replace(microsecond=678_000)
    assert parse(to_json(annotation)) == annotation


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"author": "   "}, "The name of the reviewer is missing."),
        ({"author": None}, "The name of the reviewer cannot be used"),
        ({"note": "x" * 4001}, "The note is longer than 4,000 characters."),
        ({"verdict": "real"}, "The verdict must be one of 'agree', 'disagree' or 'unsure'."),
        ({"kind": "praise"}, "kind of annotation is unknown"),
        ({"kind": None}, "kind of annotation is unknown"),
        ({"score": 1}, "“score” is not a field of this kind of annotation."),
        (SPAN | {"end": 0}, "A span ends before it starts."),
        (SPAN | {"start": "soon"}, "The start cannot be used: input should be a valid number"),
        (SPAN | {"start": "0"}, "The start cannot be used: input should be a valid number"),
        (SPAN | {"end": True}, "The end cannot be used: input should be a valid number"),
        ({"made": "0001-01-01T00:00:00+14:00"}, "Its date lies outside the calendar."),
        ({"made": "yesterday"}, "“made” cannot be used"),
    ],
)
def test_problems_are_sentences(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(AnnotationFileError) as problem:
        parse(values(**changes))
    assert words in str(problem.value)


@pytest.mark.parametrize("nothing", [None, [], "text", 5, {}])
def test_json_without_an_object_is_refused(nothing: object) -> None:
    with pytest.raises(AnnotationFileError):
        parse(nothing)


def test_the_canonical_text_is_sorted_dense_and_unescaped() -> None:
    given = {"b": [1.0, 2.5, -0.0, 0.125, True, None], "a": 'ü "\\\n\u2028\x1f€'}
    assert canonical(given) == '{"a":"ü \\"\\\\\\n\u2028\\u001f€","b":[1,2.5,0,0.125,true,null]}'


@given(st.lists(st.floats(1e-3, 1e7).map(lambda x: round(x, 3))))
def test_numbers_are_written_without_exponents(numbers: list[float]) -> None:
    text = canonical(numbers)
    assert "e" not in text and ".0]" not in text and ".0," not in text
    assert json.loads(text) == numbers


def test_a_file_is_read_back_in_order_of_time() -> None:
    acts = [one(id="2" * 32, made=MADE + timedelta(seconds=1)), one(), one(id="3" * 32, **SPAN)]
    text = file_text(acts, **ABOUT, saved=MADE)
    saved = read_file(text.encode())
    assert {name: getattr(saved, name) for name in ABOUT} == ABOUT
    assert [annotation.id[0] for annotation in saved.annotations] == ["1", "3", "2"]
    assert [to_json(annotation) for annotation in saved.annotations] == json.loads(text)["annotations"]
    assert json.loads(text)["sha256"] == checksum(json.loads(text)["annotations"])


def test_formatting_of_another_program_does_not_matter() -> None:
    text = file_text([one(**SPAN)], **ABOUT, saved=MADE)
    dense = json.dumps(json.loads(text), sort_keys=True).encode()
    assert read_file(dense) == read_file(b"\xef\xbb\xbf" + text.encode()) == read_file(text.encode())


def changed(text: str, **changes: Any) -> bytes:
    return json.dumps(json.loads(text) | changes).encode()


def test_files_that_cannot_be_used_say_why() -> None:
    text = file_text([one(), one(id="2" * 32, **SPAN)], **ABOUT, saved=MADE)
    for data, words in (
        (b"", "not an annotation file"),
        (b"\xff\xfe\x00", "not an annotation file"),
        (b"[" * 200_000, "not an annotation file"),
        (b'{"annotations": []}', "not an annotation file"),
        (text[:-40].encode(), "not an annotation file"),
        (text.replace("}\n", "NaN}\n").encode(), "not an annotation file"),
        (changed(text, reelproof_judgements="2.0"), "a newer version of Reelproof"),
        (changed(text, analysis=None), "is incomplete"),
        (changed(text, annotations={}), "is incomplete"),
        (text.replace('"agree"', '"disagree"').encode(), "changed after it was saved"),
        (changed(text, annotations=[]), "changed after it was saved"),
        (changed(text, sha256=""), "changed after it was saved"),
        (text.replace('"Ann"', '"\\ud800"').encode(), "changed after it was saved"),
    ):
        with pytest.raises(AnnotationFileError) as problem:
            read_file(data)
        assert words in str(problem.value), data[:60]


def test_a_file_that_would_fill_the_memory_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    crowded = b'{"reelproof_judgements": "1.0", "annotations": [' + b"[]," * 100_000 + b"[]]}"
    monkeypatch.setattr("reports.review.annotation_file.json.loads", lambda *_, **__: pytest.fail("was read"))
    with pytest.raises(AnnotationFileError, match="not an annotation file"):
        read_file(crowded)


def test_ten_thousand_annotations_with_brackets_are_read() -> None:
    acts = [one(id=f"{n:032x}", note="[sic] {…}") for n in range(10_000)]
    assert len(read_file(file_text(acts, **ABOUT, saved=MADE).encode()).annotations) == 10_000


def test_problems_name_the_annotation() -> None:
    for entries, words in (
        (
            [values(), values(id="2" * 32, verdict="real")],
            "Annotation 2 of the file: The verdict must be one of",
        ),
        ([values(), values()], "The file contains annotation 2 twice."),
        ([7], "Annotation 1 of the file: "),
    ):
        document = {"reelproof_judgements": "1.0", **ABOUT, "annotations": entries}
        document["sha256"] = hashlib.sha256(canonical(entries).encode()).hexdigest()
        with pytest.raises(AnnotationFileError) as problem:
            read_file(json.dumps(document).encode())
        assert words in str(problem.value)
