"""Reasons of the joint verdict of several models."""

from __future__ import annotations

from collections.abc import Sequence
from enum import member

from detector.schema.causes.cause import CauseCode, Words
from detector.schema.formatting import N_


def _models_say(words: Words, verdict: str, models: Sequence[str]) -> str:
    """%(verdict)s: %(models)s."""
    # Titles have commas of their own; those of shipped models are translated.
    titles = "; ".join(words.message(title) if title.startswith("Reelproof") else title for title in models)
    said = words.message(verdict)
    return f"{said[:1].upper()}{said[1:]}: {titles}."


class JointCode(CauseCode):
    """By which rule several models decided, and what each says."""

    RULE_FIRST = N_("Rule: the primary model decides; the others are shown for comparison.")
    RULE_ANY = N_("Rule: manipulated if any model says so.")
    RULE_MAJORITY = N_("Rule: the verdict of more than half of the models; otherwise inconclusive.")
    RULE_ALL = N_("Rule: the verdict on which all models agree; otherwise inconclusive.")
    MODELS_SAY = member(_models_say)
