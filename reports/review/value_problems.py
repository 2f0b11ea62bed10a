"""What is wrong with an annotation, or a statement of a second review, in one English sentence.

It is translated where it is shown (:func:`reports.text.translation.language.translated`).
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from detector.schema.translatable import N_

_LONGEST_NAME = 60  # of a field that nobody knows: whoever sent it chose it
# By pydantic's kind of error
_SENTENCES = {
    "missing": N_("%(what)s is missing."),
    "string_too_short": N_("%(what)s is missing."),
    "too_short": N_("%(what)s is missing."),
    "string_too_long": N_("%(what)s is longer than %(most)s characters."),
    "literal_error": N_("%(what)s is none of %(expected)s."),
}


def problem_sentence(error: ValidationError, names: Mapping[str, str], own: Mapping[str, str]) -> str:
    """The first thing that does not fit, as a sentence.

    ``names`` says what fields are called, and under "" the value itself. ``own`` are sentences for this value
    alone, by pydantic's kind of error, with the placeholders ``what``, ``most`` and ``expected``.
    """
    first = error.errors()[0]
    limits = first.get("ctx", {})
    if first["type"] == "value_error":  # of a validator of ours, which says it in a sentence
        return str(limits["error"])
    field = next((str(part) for part in reversed(first["loc"]) if isinstance(part, str)), "")
    what = names.get(field) or (
        f"“{field}”" if len(field) <= _LONGEST_NAME else f"“{field[:_LONGEST_NAME]}…”"
    )
    sentence = own.get(first["type"]) or _SENTENCES.get(first["type"])
    if sentence is None:
        return f"{what} cannot be used: {first['msg'][:1].lower()}{first['msg'][1:]}."
    most = limits.get("max_length", 0)
    return sentence % {"what": what, "most": f"{most:,}", "expected": limits.get("expected", "")}
