"""Compare two results field by field: a table says how far a field may differ, all others must be equal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from detector.schema.formatting import count_noun

_QUOTED = 60  # characters of a value


@dataclass(frozen=True)
class Rule:
    """How far a field may differ.

    Numbers, also those of a list or dictionary, may differ by ``by``, or by the share ``share`` of the larger
    one. Items of a list are paired by their field ``key``, and rows of a value whose fields are columns by
    the column of that name; the share ``alone`` of those of both results may have no counterpart. ``both``:
    the field is compared only where both results have it. ``compared``: false for fields that other code
    compares, or nothing does.
    """

    by: float = 0.0
    share: float = 0.0
    key: str = ""
    alone: float = 0.0
    both: bool = False
    compared: bool = True

    def same(self, old: float, new: float) -> bool:
        """Check whether two numbers are the same."""
        return abs(old - new) <= max(self.by, self.share * max(abs(old), abs(new)))


ELSEWHERE = Rule(compared=False)
"""Of a field that other code compares, or that follows from others."""
NOT_COMPARED = Rule(compared=False)
"""Of a field that docs/evidence.md lists as not compared."""
_EQUAL = Rule()
_NEAR = Rule(by=1e-3, share=1e-3)  # of numbers with decimals that the table does not name

FieldRules = Mapping[type[BaseModel], Mapping[str, Rule]]
"""Rules by class and name of a field; subclasses have those of their bases."""


def differences(old: BaseModel, new: BaseModel, rules: FieldRules, place: str = "") -> Iterator[str]:
    """Yield how fields of ``new`` differ from those of ``old``, which ``place`` names."""
    for name in type(old).model_fields:
        rule = _rule_of(type(old), name, rules)
        if rule.compared:
            path = f"{place} {name.replace('_', ' ')}".lstrip()
            yield from _of_value(getattr(old, name), getattr(new, name), rule, rules, path)


def _rule_of(kind: type[BaseModel], name: str, rules: FieldRules) -> Rule:
    known = (rules[base].get(name) for base in kind.__mro__ if base in rules)
    return next((rule for rule in known if rule is not None), _EQUAL)


def _of_value(old: object, new: object, rule: Rule, rules: FieldRules, place: str) -> Iterator[str]:
    if old is None or new is None:
        if old is not new and not rule.both:
            yield f"{place} stands in one of both only"
    elif isinstance(old, BaseModel) and isinstance(new, BaseModel):
        if rule.key:
            yield from _of_columns(old, new, rule, rules, place)
        else:
            yield from differences(old, new, rules, place)
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in {**old, **new}:
            pair = (old.get(name), new.get(name))
            if None in pair and rule.by:  # seconds of a cause that one lacks
                pair = (old.get(name, 0.0), new.get(name, 0.0))
            yield from _of_value(*pair, rule, rules, f"{place} “{name}”")
    elif isinstance(old, tuple) and isinstance(new, tuple):
        yield from _of_list(old, new, rule, rules, place)
    elif not _same(old, new, rule):
        yield f"{place} is {_quoted(new)}, where {_quoted(old)} is recorded"


def _same(old: object, new: object, rule: Rule) -> bool:
    numbers = [value for value in (old, new) if isinstance(value, int | float) and type(value) is not bool]
    if len(numbers) < 2:
        return old == new
    if rule.by or rule.share:
        return rule.same(*numbers)
    return _NEAR.same(*numbers) if float in (type(old), type(new)) else old == new


def _of_list(
    old: Sequence[object], new: Sequence[object], rule: Rule, rules: FieldRules, place: str
) -> Iterator[str]:
    if rule.key:
        yield from _of_items(old, new, rule, rules, place)
    elif len(old) != len(new):
        yield f"{place} has {len(new):,} items, where {len(old):,} are recorded"
    elif old and not isinstance(old[0], BaseModel | tuple):
        yield from _of_column(old, new, rule, place)
    else:
        for number, pair in enumerate(zip(old, new, strict=True), start=1):
            yield from _of_value(*pair, rule, rules, f"{place} {number}")


def _of_column(old: Sequence[object], new: Sequence[object], rule: Rule, place: str) -> Iterator[str]:
    """Compare plain values of the same number; one message for all that differ."""
    pairs = zip(old, new, strict=True)
    different = [number for number, pair in enumerate(pairs, start=1) if not _same(*pair, rule)]
    if different:
        first = different[0]
        more = f", and {len(different) - 1:,} more differ" if len(different) > 1 else ""
        values = f"{_quoted(new[first - 1])}, where {_quoted(old[first - 1])} is recorded"
        yield f"{place} {first} is {values}{more}"


def _of_items(
    old: Sequence[object], new: Sequence[object], rule: Rule, rules: FieldRules, place: str
) -> Iterator[str]:
    """Compare the items of a list that have a counterpart with the same key."""
    first, second = ({_key(getattr(item, rule.key)): item for item in items} for items in (old, new))
    alone = len(first.keys() ^ second.keys())
    if alone > rule.alone * (len(first) + len(second)):
        yield f"{place} has {count_noun(alone, 'item')} in one of both only"
    for key, item in first.items():
        if key in second:
            yield from _of_value(item, second[key], _EQUAL, rules, f"{place} {_quoted(key)}")


def _of_columns(old: BaseModel, new: BaseModel, rule: Rule, rules: FieldRules, place: str) -> Iterator[str]:
    """Compare a value whose lists are the columns of a table, row by row; other fields as they are."""
    first, second = (
        {_key(key): row for row, key in enumerate(getattr(table, rule.key))} for table in (old, new)
    )
    alone = len(first.keys() ^ second.keys())
    if alone > rule.alone * (len(first) + len(second)):
        yield f"{place} has {count_noun(alone, 'row')} in one of both only"
    common = [(row, second[key]) for key, row in first.items() if key in second]
    for name in type(old).model_fields:
        values, again, own = getattr(old, name), getattr(new, name), _rule_of(type(old), name, rules)
        path = f"{place} {name.replace('_', ' ')}"
        if isinstance(values, tuple):
            rows = ([values[row] for row, _ in common], [again[row] for _, row in common])
            yield from _of_column(*rows, own, path)
        elif own.compared:
            yield from _of_value(values, again, own, rules, path)


def _key(value: object) -> object:
    """Return what items are paired by; times are stored as the nearest float."""
    return round(value, 4) if isinstance(value, float) else value


def _quoted(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _QUOTED else f"{text[: _QUOTED - 1]}…"
