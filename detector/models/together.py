"""Which models may judge together in one analysis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from detector.errors import ModelError, ParameterError
from detector.schema.joint_rule import MOST_OTHERS
from detector.schema.translatable import N_

_Asked = TypeVar("_Asked")


def refuse_names(first: str, others: Sequence[_Asked], name_of: Callable[[_Asked], str]) -> None:
    """Raise :class:`ParameterError` for too many ``others``, :class:`ModelError` for one named twice.

    ``first`` is the name of the first model's card; ``name_of`` gives that of each other one.
    """
    if len(others) > MOST_OTHERS:
        raise ParameterError(
            N_("At most %(most_others)s other models can be asked for in one analysis.")
            % {"most_others": MOST_OTHERS}
        )
    names = {first}
    for one in others:
        name = name_of(one)
        if name in names:
            raise ModelError(N_("The model %(name)s is named twice. Name each model once.") % {"name": name})
        names.add(name)
