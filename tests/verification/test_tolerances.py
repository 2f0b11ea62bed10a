"""Tolerances of the schema's fields name comparisons that exist, and limits by which numbers differ."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from detector.schema.analysis import Analysis
from detector.schema.comparison import Comparison
from detector.schema.tolerance import COVERED, LOGIT, Tolerance
from verification import agreement, recomparison
from verification.field_agreement import FieldAgreement, tolerance_of


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


@pytest.mark.parametrize(
    ("document", "agreement"),
    [(Analysis, agreement._Comparison), (Comparison, recomparison._ComparisonAgreement)],
)
def test_every_named_comparison_exists_and_is_used(
    document: type[BaseModel], agreement: type[FieldAgreement]
) -> None:
    named = {tolerance_of(kind, name).how for kind in models(document, set()) for name in kind.model_fields}
    comparisons = {
        name.removeprefix("_")
        for name, method in vars(agreement).items()
        if inspect.isfunction(method)
        and [key.strip("_") for key in inspect.signature(method).parameters]
        == ["self", "old", "new", "field"]
    }
    assert named - {"", "count"} == comparisons


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
