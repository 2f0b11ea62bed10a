"""Columns of an analysis that follow from its verdict and its summary, for lists to filter and sort by."""

from __future__ import annotations

import json
from typing import Any

from detector.schema.analysis import Verdict
from detector.schema.summary import Verdicts
from detector.schema.voice import VoiceVerdict


def read_verdicts(verdict: str | None, summary: str | None) -> Verdicts | None:
    """Return the verdicts on faces and voices of a row; None if it has none."""
    return _verdicts(verdict, _fields(summary))


def finding_columns(verdict: str | None, summary: str | None) -> dict[str, Any]:
    """Return the values of the columns that follow from the verdict and from the JSON of the summary."""
    fields = _fields(summary)
    verdicts, voice = _verdicts(verdict, fields), fields.get("voice") or {}
    return {
        "outcome": None if verdicts is None else verdicts.outcome.value,
        "sound_only": _is_sound_only(fields),
        "voice_verdict": voice.get("verdict"),
        "voice_probability": voice.get("probability"),
    }


def _fields(summary: str | None) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(summary) if summary else {}
    return fields


def _verdicts(verdict: str | None, fields: dict[str, Any]) -> Verdicts | None:
    if verdict is None:
        return None
    voice = fields.get("voice") or {}
    return Verdicts(
        None if _is_sound_only(fields) else Verdict(verdict),
        VoiceVerdict(voice["verdict"]) if voice else None,
        no_face=bool(fields.get("no_face")),  # not said by summaries of 0.2 and earlier
    )


def _is_sound_only(fields: dict[str, Any]) -> bool:
    # Summaries of 0.2 and earlier do not say it of recordings whose sound was left out.
    return bool(fields.get("sound_only") or (fields.get("voice") or {}).get("only"))
