"""Krippendorff's alpha against the worked examples of his paper of 2011."""

from __future__ import annotations

import pytest

from reports.review.agreement import reliability

_A = ("0100000010", "1110010000")  # Meg and Owen
_B = ("aabbdcccedda", "babbbccceddd")  # Ben and Gerry
_C = ("123321412...", "1233224125.3", ".3332342251.", "12332441251.")


def units(*observers: str) -> list[list[str]]:
    return [[value for value in unit if value != "."] for unit in zip(*observers, strict=True)]


@pytest.mark.parametrize(("observers", "alpha"), [(_A, 0.095), (_B, 0.692), (_C, 0.743)])
def test_the_worked_examples(observers: tuple[str, ...], alpha: float) -> None:
    result = reliability(units(*observers))
    assert result.alpha == pytest.approx(alpha, abs=0.0006)
    assert result.low is not None and result.high is not None
    assert result.low < result.alpha < result.high <= 1


def test_units_with_one_judgement_are_ignored() -> None:
    result = reliability([["a", "a"], ["b"], [], ["a", "b"]])
    assert (result.units, result.share) == (2, 0.5)
    assert result.low is None  # too few


def test_agreement_without_variation_has_no_alpha() -> None:
    result = reliability([["a", "a"]] * 9)
    assert (result.units, result.share, result.alpha) == (9, 1.0, None)
    assert reliability([]).alpha is None


def test_perfect_and_systematic_disagreement() -> None:
    assert reliability([["a", "a"], ["b", "b"]] * 4).alpha == pytest.approx(1)
    assert reliability([["a", "b"]] * 8).alpha < 0
