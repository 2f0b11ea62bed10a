"""Compare two models field by field, by the tolerances that stand on the fields of the schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from detector.schema.formatting import count_noun
from detector.schema.tolerance import NEAR, SAME, Tolerance

_QUOTED = 60  # characters of a value
_MOST = 6  # maximum number of problems listed for one part


@dataclass(frozen=True)
class Field:
    """The tolerance of a field, its name for readers, and the two models that have it."""

    tolerance: Tolerance
    name: str
    old: Any = None
    new: Any = None


class FieldAgreement:
    """Compares models of the same class.

    A tolerance may name a comparison of its own (``how``): the method of that name with an underscore, which
    yields how two values of a field differ. With ``findings_only`` fields are left out whose tolerance says
    so.
    """

    findings_only = False

    def differences(self, old: BaseModel, new: BaseModel, place: str = "") -> Iterator[str]:
        """Yield how fields of ``new`` differ from those of ``old``, which ``place`` names."""
        for name in type(old).model_fields:
            tolerance = tolerance_of(type(old), name)
            if tolerance.compared and (tolerance.finding or not self.findings_only):
                field = Field(tolerance, f"{place} {name.replace('_', ' ')}".lstrip(), old, new)
                yield from self.of_field(getattr(old, name), getattr(new, name), field)

    def of_field(self, old: object, new: object, field: Field) -> Iterator[str]:
        tolerance = field.tolerance
        if tolerance.how and (compare := getattr(self, f"_{tolerance.how}", None)):
            yield from compare(old, new, field)
        elif tolerance.of:
            of = max(getattr(field.old, tolerance.of), getattr(field.new, tolerance.of))
            yield from _of_shares(old, new, tolerance, field.name, of)
        else:
            yield from self._of_value(old, new, tolerance, field.name)

    def _count(self, old: Any, new: Any, field: Field) -> Iterator[str]:
        """Compare two counts, or the lengths of two lists."""
        first, second = (len(value) if isinstance(value, tuple) else value for value in (old, new))
        yield from _of_shares(first, second, field.tolerance, field.name, max(first, second))

    def _of_value(self, old: object, new: object, tolerance: Tolerance, place: str) -> Iterator[str]:
        if old is None or new is None:
            if not tolerance.both:
                yield from in_one_only(old, new, place)
        elif isinstance(old, BaseModel) and isinstance(new, BaseModel):
            if tolerance.key:
                yield from self._of_columns(old, new, tolerance, place)
            else:
                yield from self.differences(old, new, place)
        elif isinstance(old, Mapping) and isinstance(new, Mapping):
            for name in {**old, **new}:
                pair = (old.get(name), new.get(name))
                if None in pair and tolerance.by:  # seconds of a cause that one lacks
                    pair = (old.get(name, 0.0), new.get(name, 0.0))
                yield from self._of_value(*pair, tolerance, f"{place} “{name}”")
        elif isinstance(old, tuple) and isinstance(new, tuple):
            yield from self._of_list(old, new, tolerance, place)
        elif not _same(old, new, tolerance):
            yield is_not(place, _quoted(new), _quoted(old))

    def _of_list(
        self, old: Sequence[Any], new: Sequence[Any], tolerance: Tolerance, place: str
    ) -> Iterator[str]:
        if tolerance.key:  # of items that have a counterpart with the same key
            first, second = (
                {_key(getattr(item, tolerance.key)): item for item in items} for items in (old, new)
            )
            yield from _of_unpaired(first, second, tolerance, place, "item")
            for key in (key for key in first if key in second):
                yield from self._of_value(first[key], second[key], SAME, f"{place} {_quoted(key)}")
        elif len(old) != len(new):
            yield other_length(place, old, new)
        elif old and not isinstance(old[0], BaseModel | tuple):
            yield from _of_column(old, new, tolerance, place)
        else:
            for number, pair in enumerate(zip(old, new, strict=True), start=1):
                yield from self._of_value(*pair, tolerance, f"{place} {number}")

    def _of_columns(self, old: BaseModel, new: BaseModel, tolerance: Tolerance, place: str) -> Iterator[str]:
        """Compare a value whose lists are the columns of a table, row by row; other fields as they are."""
        first, second = (
            {_key(key): row for row, key in enumerate(getattr(table, tolerance.key))} for table in (old, new)
        )
        yield from _of_unpaired(first, second, tolerance, place, "row")
        common = [(row, second[key]) for key, row in first.items() if key in second]
        for name in type(old).model_fields:
            values, again, own = getattr(old, name), getattr(new, name), tolerance_of(type(old), name)
            path = f"{place} {name.replace('_', ' ')}"
            if isinstance(values, tuple):
                rows = ([values[row] for row, _ in common], [again[row] for _, row in common])
                yield from _of_column(*rows, own, path)
            elif own.compared:
                yield from self._of_value(values, again, own, path)


@cache
def tolerance_of(kind: type[BaseModel], name: str) -> Tolerance:
    """Return the tolerance of a field: its own, else that of its type or of the type of its items."""
    field = kind.model_fields[name]
    own = (item for item in reversed(field.metadata) if isinstance(item, Tolerance))
    return next(own, None) or next(_of_type(field.annotation), SAME)


def _of_type(annotation: Any) -> Iterator[Tolerance]:
    if get_origin(annotation) is Annotated:
        yield from (item for item in annotation.__metadata__ if isinstance(item, Tolerance))
    for argument in get_args(annotation):
        yield from _of_type(argument)


def shortened(problems: Sequence[str]) -> list[str]:
    """Return the first problems, and the number of the others in one line."""
    more = len(problems) - _MOST
    if more <= 0:
        return list(problems)
    return [*problems[:_MOST], f"{problems[_MOST]}, and {more - 1} more of that kind"]


def is_not(place: str, new: object, old: object) -> str:
    """Return the problem that a value is another one."""
    return f"{place} is {new}, where {old} is recorded"


def in_one_only(old: object, new: object, place: str, stands: str = "stands") -> Iterator[str]:
    """Yield the problem that exactly one of two values is missing."""
    if (old is None) is not (new is None):
        yield f"{place} {stands} in only one of the two"


def other_length(place: str, old: Sequence[object], new: Sequence[object]) -> str:
    """Return the problem that a list has another number of items."""
    verb = "is" if len(old) == 1 else "are"
    return f"{place} has {count_noun(len(new), 'item')}, where {len(old):,} {verb} recorded"


def _same(old: object, new: object, tolerance: Tolerance) -> bool:
    numbers = [value for value in (old, new) if isinstance(value, int | float) and type(value) is not bool]
    if len(numbers) < 2:
        return old == new
    if tolerance.by or tolerance.share:
        return tolerance.same(*numbers)
    return NEAR.same(*numbers) if float in (type(old), type(new)) else old == new


def other_count(place: str, old: int, new: int) -> str:
    """Return the problem that a count is another one."""
    return f"{place}: {new:,}, where {old:,} {'is' if old == 1 else 'are'} recorded"


def _of_shares(old: Any, new: Any, tolerance: Tolerance, place: str, of: int) -> Iterator[str]:
    """Compare counts, or a count for each of several names, of which there are ``of`` together."""
    if isinstance(old, Mapping):
        for name in sorted({*old, *new}):
            yield from _of_shares(old.get(name, 0), new.get(name, 0), tolerance, f"{place} “{name}”", of)
    elif not tolerance.same_count(old, new, of):
        yield other_count(place, old, new)


def _of_column(
    old: Sequence[object], new: Sequence[object], tolerance: Tolerance, place: str
) -> Iterator[str]:
    """Compare plain values of the same number; one message for all that differ."""
    pairs = list(zip(old, new, strict=True))
    different = [number for number, pair in enumerate(pairs) if not _same(*pair, tolerance)]
    if different:
        first, second = pairs[different[0]]
        more = f", and {len(different) - 1:,} more differ" if len(different) > 1 else ""
        yield is_not(f"{place} {different[0] + 1}", _quoted(second), _quoted(first)) + more


def _of_unpaired(
    first: Mapping[object, object],
    second: Mapping[object, object],
    tolerance: Tolerance,
    place: str,
    noun: str,
) -> Iterator[str]:
    alone = len(first.keys() ^ second.keys())
    if alone > tolerance.alone * (len(first) + len(second)):
        verb = "stands" if alone == 1 else "stand"
        yield f"{place} has {count_noun(alone, noun)} that {verb} in only one of the two"


def _key(value: object) -> object:
    """Return what items are paired by; times are stored as the nearest float."""
    return round(value, 4) if isinstance(value, float) else value


def _quoted(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _QUOTED else f"{text[: _QUOTED - 1]}…"
