"""A fact, of which the tables of a report are made: a name and what it is."""

from __future__ import annotations

from dataclasses import dataclass

from reports.text.translation.language import Quoted


@dataclass(frozen=True)
class Fact:
    """A name and what it is; ``exact`` marks text to be set letter by letter, such as a hash.

    A value that the file or a person supplied is :class:`~reports.text.translation.language.Quoted`;
    exact ones are.
    """

    name: str
    value: str
    note: str = ""
    exact: bool = False

    def __post_init__(self) -> None:
        if self.exact:
            object.__setattr__(self, "value", Quoted(self.value))
