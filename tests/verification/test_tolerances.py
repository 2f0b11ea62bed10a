"""Tolerances of the schema's fields name comparisons that exist, and limits by which numbers differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from detector.schema.analysis import Analysis
from detector.schema.tolerance import COVERED, LOGIT, Tolerance
from verification.agreement import _OWN_COMPARISONS
from verification.field_agreement import tolerance_of


def models(kind: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    if kind in seen:
        return
    seen.add(kind)
    yield kind
    for field in kind.model_fields.values():
        for part in _types(field.annotation):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from models(part, seen)


def _types(annotation: Any) -> Iterator[Any]:
    yield annotation
    for argument in get_args(annotation):
        yield from _types(argument)


def test_every_named_comparison_exists_and_is_used() -> None:
    named = {tolerance_of(kind, name).how for kind in models(Analysis, set()) for name in kind.model_fields}
    assert named - {"", "count"} == set(_OWN_COMPARISONS.split())


@pytest.mark.parametrize(
    ("tolerance", "pairs", "same"),
    [
        (LOGIT, [(1.0, 1.09), (20.0, 21.9), (-0.05, 0.05)], True),
        (LOGIT, [(1.0, 1.2), (20.0, 22.5)], False),
        (COVERED, [(0.4, 0.5), (0.6, 0.7)], True),
        (COVERED, [(0.45, 0.55), (0.6, 0.8)], False),
    ],
)
def test_numbers(tolerance: Tolerance, pairs: list[tuple[float, float]], same: bool) -> None:
    assert [tolerance.same(*pair) for pair in pairs] == [same] * len(pairs)
