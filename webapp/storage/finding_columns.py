"""Columns of an analysis that follow from its verdict and its summary, for lists to filter and sort by."""

from __future__ import annotations

import json
from typing import Any

from detector.schema.analysis import Verdict
from detector.schema.summary import Verdicts
from detector.schema.voice import VoiceVerdict


def read_verdicts(verdict: str | None, summary: str | None) -> Verdicts | None:
    """Return the verdicts on faces and voices of a row; None if it has none.

    Summaries of 0.2 and earlier do not say whether a face was judged.
    """
    if verdict is None:
        return None
    fields = json.loads(summary) if summary else {}
    voice = fields.get("voice") or {}
    return Verdicts(
        None if _is_sound_only(fields) else Verdict(verdict),
        VoiceVerdict(voice["verdict"]) if voice else None,
        no_face=bool(fields.get("no_face")),
    )


def _is_sound_only(fields: dict[str, Any]) -> bool:
    # Summaries of 0.2 and earlier do not say it of recordings whose sound was left out.
    return bool(fields.get("sound_only") or (fields.get("voice") or {}).get("only"))


def finding_columns(verdict: str | None, summary: str | None) -> dict[str, Any]:
    """Return the values of the columns that follow from the verdict and from the JSON of the summary."""
    verdicts = read_verdicts(verdict, summary)
    fields = json.loads(summary) if summary else {}
    voice = fields.get("voice") or {}
    return {
        "outcome": None if verdicts is None else verdicts.outcome.value,
        "sound_only": _is_sound_only(fields),
        "voice_verdict": voice.get("verdict"),
        "voice_probability": voice.get("probability"),
    }
