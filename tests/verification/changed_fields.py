"""Every field of an analysis, changed: copies of it with another value in one place each."""

from __future__ import annotations

import enum
import types
from collections.abc import Callable, Iterator
from typing import Annotated, Any, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import BaseModel, ValidationError

from detector.schema.analysis import Analysis
from detector.schema.scores import Scores

_LITTLE = 0.3  # of a probability


def changed_fields(analysis: Analysis, *others: Analysis) -> Iterator[tuple[str, str, Analysis]]:
    """Yield path of the field, kind of change and changed copy, for each field once.

    A field of items of a list is changed in the first item that has it. Lists lose their last item, values
    that may be null become null; null becomes a value that ``others`` have at the same path, or any value of
    a plain type.
    """
    examples: dict[str, Any] = {}
    for other in (analysis, *others):
        for path, value in _values(other, ""):
            examples.setdefault(path, value)
    yield from _Walk(examples).changes(analysis, "", Analysis, lambda changed: changed)


class _Walk:
    """Visits each path and kind of change once."""

    def __init__(self, examples: dict[str, Any]) -> None:
        self._examples = examples
        self._seen: set[tuple[str, str]] = set()

    def changes(
        self, value: Any, path: str, annotation: Any, put: Callable[[Any], Analysis]
    ) -> Iterator[tuple[str, str, Analysis]]:
        """Yield the changes of ``value``; ``put`` returns the analysis with another value in its place."""
        plain = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
        if types.NoneType in get_args(plain) and value is not None:
            yield from self._change(path, "removed", None, put)
        if value is None or value in ((), {}):
            example = self._examples.get(path) or _example(annotation)
            if example is not None:
                yield from self._change(path, "added", example, put)
        elif isinstance(value, BaseModel):
            for name, field in type(value).model_fields.items():
                kind = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation

                def place(other: Any, name: str = name) -> Analysis:
                    return put(type(value).model_validate({**dict(value), name: other}))

                yield from self.changes(getattr(value, name), f"{path}.{name}".lstrip("."), kind, place)
        elif isinstance(value, dict):
            key, item = next(iter(value.items()))
            yield from self.changes(item, path, type(item), lambda other: put({**value, key: other}))
            yield from self._change(path, "shortened", dict(list(value.items())[1:]), put)
        elif isinstance(value, tuple | Scores):
            items = tuple(value)
            for at, item in enumerate(items if isinstance(items[0], BaseModel) else items[:1]):

                def place(other: Any, at: int = at) -> Analysis:
                    return put(type(value)((*items[:at], other, *items[at + 1 :])))

                yield from self.changes(item, path, _of_items(annotation), place)
            if isinstance(value, Scores) or Ellipsis in _arguments(annotation):
                yield from self._change(path, "shortened", type(value)(items[:-1]), put)
        else:
            yield from self._change(path, "changed", _other(value, annotation), put)

    def _change(
        self, path: str, kind: str, other: Any, put: Callable[[Any], Analysis]
    ) -> Iterator[tuple[str, str, Analysis]]:
        if (path, kind) not in self._seen:
            self._seen.add((path, kind))
            try:
                changed = put(other)
            except ValidationError:  # the schema refuses it
                return
            yield path, kind, changed


def _values(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield all values below ``value`` that are not empty, with their paths."""
    if value is None or value in ((), {}):
        return
    yield path, value
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _values(getattr(value, name), f"{path}.{name}".lstrip("."))
    elif isinstance(value, tuple):
        for item in value:
            if isinstance(item, BaseModel):
                yield from _values(item, path)


def _arguments(annotation: Any) -> Iterator[Any]:
    """Yield all arguments of a type, those of its parts too."""
    for argument in get_args(annotation):
        yield argument
        yield from _arguments(argument)


def _of_items(annotation: Any) -> Any:
    """Return the type of the items of a tuple."""
    tuples = (part for part in (annotation, *_arguments(annotation)) if get_origin(part) is tuple)
    return next((get_args(part)[0] for part in tuples), None)


def _other(value: Any, annotation: Any) -> Any:
    """Return another valid value of the same type."""
    if isinstance(value, enum.Enum):
        return next(member for member in type(value) if member is not value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + max(2, value // 4)
    if isinstance(value, float):
        if any(isinstance(bound, Le) and bound.le == 1 for bound in _bounds(annotation)):
            return value + _LITTLE if value < 0.5 else value - _LITTLE
        return value + max(1.0, 0.25 * abs(value))
    if len(value) == 64:
        return value[::-1]
    if value[-1:].isdigit():
        return f"{value[:-1]}{(int(value[-1]) + 1) % 10}"
    return f"{value}B"


def _bounds(annotation: Any) -> Iterator[Ge | Le]:
    for argument in _arguments(annotation):
        yield from getattr(argument, "metadata", [argument])


def _example(annotation: Any) -> Any:
    """Return a value that an optional field of a plain type may have; None for other types."""
    arguments = {annotation, *(argument for argument in _arguments(annotation) if isinstance(argument, type))}
    return next(
        (value for kind, value in ((bool, True), (int, 1), (float, 0.5), (str, "1")) if kind in arguments),
        None,
    )
