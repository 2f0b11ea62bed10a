"""A statement of a result: a code with typed parameters, and its sentence in English or another language.

An enumeration for each subject has the codes, each with its English message; the catalogues of
``translations`` have the other languages, by the English message.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from enum import Enum
from typing import NamedTuple, Self, TypeVar

from pydantic import Field, model_validator

from detector.schema.base import Value
from detector.schema.formatting import N_

CauseParameter = bool | int | float | str | tuple[str, ...] | tuple[int, ...] | tuple["Cause", ...]


class Words:
    """Renders the parts of sentences in English; subclasses translate."""

    def message(self, text: str) -> str:
        """Return a message, with its placeholders."""
        return text

    def count(self, number: int, noun: str) -> str:
        """Return a number with its noun, which takes a plural s; stored results have no separators."""
        return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

    def number(self, text: str) -> str:
        """Return a formatted number."""
        return text

    def fill(self, text: str, **values: object) -> str:
        """Return a message with its placeholders filled."""
        return self.message(text) % values

    def persons(self, names: Sequence[str]) -> str:
        """Return persons by name."""
        text = N_("Person %(names)s") if len(names) == 1 else N_("Persons %(names)s")
        return self.fill(text, names=", ".join(names))

    def flaws(self, flaws: Iterable[str]) -> str:
        """Return flaws of faces, joined by "or"."""
        return self.message(N_(", or ")).join(map(self.message, flaws))

    def needed(self, frames: int) -> str:
        """Return how many usable frames are needed."""
        return self.fill(N_("at least %(minimum_usable_frames)s are needed"), minimum_usable_frames=frames)


ENGLISH = Words()


class Parameter(NamedTuple):
    """A parameter, which means the same in all causes.

    ``placeholder`` is its name in messages, empty if it is the same; ``form`` gives its words there.
    """

    type: type
    meaning: str
    placeholder: str = ""
    form: Callable[..., str] = lambda _words, value: str(value)

    def accepts(self, value: CauseParameter) -> bool:
        """Return whether a value has this type; whole numbers are also ``float``."""
        if isinstance(value, bool):
            return self.type is bool
        return isinstance(value, self.type) or self.type is float and isinstance(value, int)


def _decimals(form: str) -> Callable[[Words, float], str]:
    return lambda words, value: words.number(f"{value:{form}}")


def _counted(noun: str) -> Callable[[Words, int], str]:
    return lambda words, number: words.count(number, noun)


def _problem(words: Words, problem: str | tuple[Cause]) -> str:
    return problem if isinstance(problem, str) else render(problem[0], words)


PARAMETERS = {
    "codec": Parameter(str, "name of a codec"),
    "contrast": Parameter(bool, "the face differs there from the rest of its track"),
    "count": Parameter(int, "number of persons"),
    "damaged": Parameter(int, "frames that rest on damaged or missing ones"),
    "between_key_frames": Parameter(bool, "the file begins between two key frames"),
    "discarded": Parameter(int, "detections that were not accepted as faces"),
    "error": Parameter(str, "name of an error's class"),
    "faces": Parameter(int, "number of faces"),
    "flaws": Parameter(tuple, "why faces were not judged", "flaws", Words.flaws),
    "frames": Parameter(int, "number of sampled frames", "frames", _counted("sampled frame")),
    "from_damaged": Parameter(int, "frames that rest on damaged or missing ones"),
    "judged": Parameter(int, "number of judged persons"),
    "judged_persons": Parameter(tuple, "letters of judged persons"),
    "kinds": Parameter(tuple, "kind of manipulation of each of `judged_persons`; empty: not known"),
    "left": Parameter(int, "detections that were not judged"),
    "lost_at_end": Parameter(float, "seconds that cannot be decoded at the end"),
    "lost_at_start": Parameter(float, "seconds that cannot be decoded at the start"),
    "minimum_duration": Parameter(float, "seconds that a finding takes", "minimum_duration", _decimals("g")),
    "minimum_face": Parameter(float, "least width of a judged face, px", "minimum_face", _decimals(".0f")),
    "minimum_usable_frames": Parameter(
        int, "frames without which nothing is ruled out", "needed", Words.needed
    ),
    "missing": Parameter(float, "seconds missing at the end of the file"),
    "models": Parameter(tuple, "titles of models"),
    "not_judged": Parameter(int, "number of faces that were not judged"),
    "other_flaws": Parameter(tuple, "why other faces were not judged"),
    "pages": Parameter(int, "further pictures in the file"),
    "persons": Parameter(tuple, "letters of persons", "who", Words.persons),
    "problem": Parameter(tuple, "message of an error; before 0.3 its English text", form=_problem),
    "seconds": Parameter(float, "seconds", "seconds", _decimals(".1f")),
    "segments": Parameter(int, "number of segments", "segments", _counted("segment")),
    "share": Parameter(int, "per cent"),
    "streams": Parameter(tuple, "numbers of streams"),
    "total": Parameter(int, "the number of which the first one is a part"),
    "traces": Parameter(str, "kind of manipulation"),
    "turned": Parameter(int, "degrees clockwise"),
    "undecodable": Parameter(int, "frames or packets that could not be used"),
    "unusable": Parameter(int, "number of faces that were not judged"),
    "usable": Parameter(int, "number of judged faces"),
    "verdict": Parameter(str, "a verdict"),
}

_NAMES = {parameter.placeholder: name for name, parameter in PARAMETERS.items() if parameter.placeholder}
_Reasoned = TypeVar("_Reasoned", bound=Value)
Message = str | Callable[..., str]
"""A message with placeholders; or a function of :class:`Words` and parameters, whose docstring shows it."""

CODES: dict[str, CauseCode] = {}
"""The codes of all subjects by name."""


class CauseCode(Enum):
    """Base of the enumerations of codes, one for each subject. A member's value is its message."""

    def __init__(self, message: Message) -> None:
        if CODES.setdefault(self.code, self) is not self:
            raise ValueError(f"two subjects have the code {self.code}")

    @property
    def code(self) -> str:
        """The code as results have it."""
        return self.name.lower()

    @property
    def message(self) -> Message:
        """Its English message."""
        return self.value

    def cause(self, **parameters: CauseParameter) -> Cause:
        """State this; raise :class:`TypeError` for other parameters than those of the message."""
        for name, value in parameters.items():
            if name not in self.parameters or not PARAMETERS[name].accepts(value):
                raise TypeError(f"{self.code} has no parameter {name} that is {value!r}")
        cause = Cause(code=self.code, parameters=parameters)
        if isinstance(self.message, str) and len(parameters) < len(self.parameters):
            raise TypeError(f"{self.code} takes {', '.join(self.parameters)}")
        if not cause.text:  # the function of the message takes other parameters
            render(cause)
        return cause

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of its parameters; those of functions may be left out where they have a default."""
        if not isinstance(self.message, str):
            return tuple(inspect.signature(self.message).parameters)[1:]
        placeholders = (piece.partition(")")[0] for piece in self.message.split("%(")[1:])
        return tuple(_NAMES.get(placeholder, placeholder) for placeholder in placeholders)


class Cause(Value):
    """A statement: a code with parameters, from which it can be written in any language, and its sentence."""

    code: str
    parameters: dict[str, CauseParameter] = Field(default_factory=dict)
    text: str = Field(default="", description="the sentence in English; since 0.3")

    @model_validator(mode="after")
    def _write_text(self) -> Self:
        """Write the sentence, which engines do not give and results before 0.3 lack."""
        if not self.text:
            with suppress(KeyError, TypeError, ValueError):  # a code of a later version
                object.__setattr__(self, "text", render(self))
        return self

    def __hash__(self) -> int:
        """Hash without the parameters, a dictionary: what holds a cause may be the key of a cache."""
        return hash((self.code, self.text))


def render(cause: Cause, words: Words = ENGLISH) -> str:
    """Return the sentence of a cause; raise ``KeyError`` for an unknown code, ``TypeError`` or ``ValueError``
    for parameters that it does not have.
    """
    message = CODES[cause.code].message
    if not isinstance(message, str):
        return message(words, **cause.parameters)
    forms = {name: (PARAMETERS[name], value) for name, value in cause.parameters.items()}
    return words.fill(
        message,
        **{known.placeholder or name: known.form(words, value) for name, (known, value) in forms.items()},
    )


def join(causes: Iterable[Cause]) -> str:
    """Return the English sentences of causes as one text."""
    return " ".join(cause.text for cause in causes)


def with_reason(value: _Reasoned, causes: Iterable[Cause]) -> _Reasoned:
    """Write the field ``reason`` of a new value from its causes."""
    if not value.reason:  # type: ignore[attr-defined]
        object.__setattr__(value, "reason", join(causes))
    return value
