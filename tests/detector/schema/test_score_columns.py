"""Scores of a person: a validated sequence stored as numbers."""

from __future__ import annotations

import copy
import json
import pickle
import random
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from detector.schema.analysis import Person, Score, Scores, Value

OBJECTS = TypeAdapter(tuple[Score, ...])  # what scores were kept as before, and are still read like
COLUMNS = TypeAdapter(Scores)


class Holder(Value):
    """Stands for a person, with nothing else in it."""

    scores: Scores


class Before(Value):
    scores: tuple[Score, ...]


def make_scores(count: int) -> list[Score]:
    """Judged and unjudged ones, and numbers that any rounding would change."""
    rng = random.Random(20261121)
    scores = []
    for step in range(count):
        judged = step % 3 > 0
        scores.append(
            Score(
                time=step / 7,
                pts=step * 1001 - 5,
                track=step % 11,
                box=(rng.uniform(-9, 9), 5e-324, rng.random() * 1e300, 0.1 + 0.2),
                usable=judged,
                logit=rng.gauss(0, 5) if judged else None,
                probability=rng.random() if judged else None,
                smoothed=rng.random() if step % 3 > 1 else None,
            )
        )
    return scores


@pytest.fixture(scope="module")
def objects() -> tuple[Score, ...]:
    return tuple(make_scores(2500))


@pytest.fixture(scope="module")
def columns(objects: tuple[Score, ...]) -> Scores:
    return Scores(objects)


def test_equals_its_sequence(objects: tuple[Score, ...], columns: Scores) -> None:
    assert len(columns) == len(objects) and list(columns) == list(objects)
    assert columns[0] == objects[0] and columns[-1] == objects[-1] and columns[1500] == objects[1500]
    assert list(reversed(columns)) == list(reversed(objects))
    assert objects[7] in columns and columns.index(objects[7]) == 7
    for part in (slice(3, 9), slice(None, None, -7), slice(-5, None), slice(9, 3), slice(0, 10**6)):
        assert columns[part] == objects[part] and isinstance(columns[part], Scores)
    assert bool(columns) and not columns[:0] and not Scores() and list(Scores()) == []


def test_invalid_index_raises(columns: Scores) -> None:
    for wrong in (2500, -2501):
        with pytest.raises(IndexError):
            columns[wrong]
    for other in ("time", 1.0, None, [1, 2]):
        with pytest.raises(TypeError):
            columns[other]  # type: ignore[call-overload]


def test_values_are_exact_python_objects(objects: tuple[Score, ...], columns: Scores) -> None:
    for mine, original in zip(columns, objects, strict=True):
        assert mine.model_dump() == original.model_dump() and type(mine.box) is tuple
        types = [{type(part) for part in (*score.box, *dict(score).values())} for score in (mine, original)]
        assert types[0] == types[1]
    assert columns[1] is not columns[1] and columns[1].model_fields_set == set(Score.model_fields)
    with pytest.raises(ValidationError, match="frozen"):
        columns[1].logit = 0.0


def test_equality_and_hash(objects: tuple[Score, ...], columns: Scores) -> None:
    assert columns == objects and objects == columns and columns == Scores(list(objects))
    assert hash(columns) == hash(objects) == hash(Scores(objects))
    other = list(objects)
    other[2400] = other[2400].model_copy(update={"smoothed": 0.25})
    assert columns != Scores(other) and columns != tuple(other)
    assert columns != objects[:-1] and columns != list(objects) and columns != columns[1:]
    # A null is a null, and no number.
    null = Score(time=0, pts=0, track=0, box=(0, 0, 1, 1), usable=True)
    assert Scores([null]) == Scores([null]) != Scores([null.model_copy(update={"logit": 0.0})])


def test_scores_are_immutable(columns: Scores) -> None:
    for name in Score.model_fields:
        before = getattr(columns, name).copy()
        getattr(columns, name)[:] = 1
        assert np.array_equal(getattr(columns, name), before, equal_nan=before.dtype.kind == "f")
    with pytest.raises(ValueError, match="read-only"):
        columns._rows["time"] = 0
    with pytest.raises(AttributeError):
        columns.more = 1  # type: ignore[attr-defined]


def test_columns(objects: tuple[Score, ...], columns: Scores) -> None:
    assert columns.time.tolist() == [s.time for s in objects]
    assert (columns.pts.dtype, columns.track.dtype) == (np.int64, np.int32)
    assert columns.pts.tolist() == [s.pts for s in objects]
    assert columns.track.tolist() == [s.track for s in objects]
    assert columns.usable.tolist() == [s.usable for s in objects]
    assert columns.box.tolist() == [list(s.box) for s in objects] and Scores().box.shape == (0, 4)
    for name in ("logit", "probability", "smoothed"):
        values = getattr(columns, name).tolist()
        assert [None if v != v else v for v in values] == [getattr(s, name) for s in objects]


def test_copies_and_pickles(columns: Scores) -> None:
    assert copy.copy(columns) is columns and copy.deepcopy(columns) is columns
    again = pickle.loads(pickle.dumps(columns))
    assert again == columns and type(again) is Scores
    with pytest.raises(ValueError, match="read-only"):
        again._rows["time"] = 0
    person = Person(
        id="A",
        median_box=(0, 0, 1, 1),
        screen_time=1,
        tracks=(),
        usable_frames=0,
        probability=None,
        scores=columns,
    )
    assert person.model_copy(deep=True) == person == pickle.loads(pickle.dumps(person))


def test_json_is_unchanged(objects: tuple[Score, ...], columns: Scores) -> None:
    """Byte for byte, there and back, whatever the indent; and so is what Python is given."""
    for some in (objects, objects[:1], ()):
        before, now = Before(scores=some), Holder(scores=Scores(some))
        for indent in (None, 2):
            text = before.model_dump_json(indent=indent)
            assert now.model_dump_json(indent=indent) == text
            assert Holder.model_validate_json(text) == now
        assert now.model_dump() == before.model_dump()
        assert now.model_dump(mode="json") == before.model_dump(mode="json")
        assert json.loads(before.model_dump_json()) == now.model_dump(mode="json")
    text = before.model_dump_json(exclude_none=True)
    assert Holder(scores=Scores()).model_dump_json(exclude_none=True) == text


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_the_schema_is_that_of_a_tuple(mode: Any) -> None:
    mine, original = (kind.model_json_schema(mode=mode) for kind in (Holder, Before))
    assert (mine["properties"], mine["$defs"]) == (original["properties"], original["$defs"])


@pytest.mark.parametrize("kind", [tuple, list, iter, Scores])
def test_python_input(objects: tuple[Score, ...], kind: Any) -> None:
    assert Holder(scores=kind(objects)).scores == objects


def test_dictionaries_as_input(objects: tuple[Score, ...]) -> None:
    assert Holder.model_validate({"scores": [dict(s) for s in objects]}).scores == objects
    assert COLUMNS.validate_python(columns := Scores(objects)) is columns


def damaged_lists() -> Iterator[Any]:
    """What is not a list of scores: one damaged at the fourth place, two, and no list at all."""
    good = [score.model_dump(mode="json") for score in make_scores(6)]
    for change in (
        {"time": -1},
        {"time": None},
        {"time": "soon"},
        {"pts": 0.5},
        {"pts": "x"},
        {"track": -1},
        {"box": [1, 2, 3]},
        {"box": [1, 2, 3, "wide"]},
        {"box": None},
        {"usable": 3},
        {"logit": "high"},
        {"probability": 1.5},
        {"smoothed": -0.1},
        {"surprise": 1},
    ):
        yield [*good[:3], {**good[3], **change}, *good[4:]]
        yield [{**good[0], **change}, *good[1:5], {**good[5], "track": -2, "smoothed": 2}]
    for missing in ("time", "pts", "track", "box", "usable"):
        yield [*good[:3], {name: v for name, v in good[3].items() if name != missing}]
    yield from ([*good, None], [*good, []], [*good, 5], {}, {"0": good[0]}, None, 5, "scores", good[0])


@pytest.mark.parametrize("wrong", list(damaged_lists()))
def test_invalid_score_is_located(wrong: Any) -> None:
    """With the errors a tuple of scores has: all of them, in the same words, at the same places."""

    def refusal(of: Any, given: Any) -> list[dict[str, Any]]:
        with pytest.raises(ValidationError) as raised:
            of(given)
        return raised.value.errors(include_url=False)

    text = json.dumps({"scores": wrong})
    assert refusal(Holder.model_validate_json, text) == refusal(Before.model_validate_json, text)
    given = {"scores": wrong}
    assert refusal(Holder.model_validate, given) == refusal(Before.model_validate, given)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("name", ["time", "logit", "probability", "smoothed"])
def test_nan_is_not_null(name: str, number: str) -> None:
    good = make_scores(2)[1].model_dump_json()
    wrong = json.dumps({**json.loads(good), name: 0}).replace(f'"{name}": 0', f'"{name}": {number}')
    with pytest.raises(ValidationError) as raised:
        Holder.model_validate_json(f'{{"scores": [{good}, {wrong}]}}')
    assert raised.value.errors()[0]["loc"] == ("scores", 1, name)


def test_integers_of_any_size(objects: tuple[Score, ...]) -> None:
    """JSON and the published schema bound none; one that fills no column keeps the others as they were."""
    vast = objects[4].model_copy(update={"pts": -(2**80), "track": 2**31})
    for some in ((*objects[:4], vast, *objects[5:9]), (vast,)):
        scores = Scores(some)
        assert tuple(scores) == some and scores == some and scores[-1] == some[-1]
        assert scores.pts.tolist() == [s.pts for s in some]
        assert scores.logit.dtype == np.float64 and scores.box.dtype == np.float64
        text = Before(scores=some).model_dump_json()
        assert Holder.model_validate_json(text).model_dump_json() == text
        assert scores != Scores(objects[: len(some)]) and pickle.loads(pickle.dumps(scores)) == scores
    assert Scores((vast, objects[5]))[1:] == Scores((objects[5],))


def test_memory_of_a_score() -> None:
    """A row of numbers each once read, and while it is read some more, but no object."""
    count = 20_000
    text = COLUMNS.dump_json(Scores(make_scores(100) * (count // 100)))
    tracemalloc.start()
    scores = COLUMNS.validate_json(text)
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    assert sum(1 for _ in scores) == count
    reading = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert kept < 90 * count and most < 300 * count
    assert reading < 20 * count
    # Objects were ten times that.
    tracemalloc.start()
    objects = OBJECTS.validate_json(text)
    assert tracemalloc.get_traced_memory()[0] > 8 * kept and len(objects) == count
    tracemalloc.stop()


def test_packing_uses_little_memory(objects: tuple[Score, ...]) -> None:
    many = [score for score in objects for _ in range(8)]
    tracemalloc.start()
    try:
        scores = Scores(iter(many))
        left, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(scores) == len(many) and not scores._rows.flags.writeable
    assert most < 2.3 * left
