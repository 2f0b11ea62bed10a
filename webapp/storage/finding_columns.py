"""Columns of an analysis that follow from its verdict and its summary, for lists to filter and sort by."""

from __future__ import annotations

import json
from typing import Any

from detector.schema.analysis import Verdict
from detector.schema.strength import MaterialKind, Strength, strength_of
from detector.schema.summary import Verdicts, faces_strength
from detector.schema.voice import VoiceVerdict
from webapp.storage.tables import AnalysisRow


def read_verdicts(verdict: str | None, summary: str | None) -> Verdicts | None:
    """Return the verdicts on faces and voices of a row; None if it has none."""
    return _verdicts(verdict, _fields(summary))


def row_verdicts(row: AnalysisRow) -> Verdicts:
    """Return the verdicts on faces and voices of a finished analysis.

    Summaries of 0.2 and earlier lack the strengths, which follow from the scores.
    """
    verdicts = read_verdicts(row.verdict, row.summary)
    assert verdicts is not None, "only finished analyses have verdicts"
    if verdicts.faces is not None and verdicts.faces_strength is None:
        strength = faces_strength(verdicts.faces, row.probability, still=row.frame_rate is None)
        verdicts = verdicts._replace(faces_strength=strength)
    score, missing = row.voice_probability, verdicts.voices_strength is None
    if missing and verdicts.voices is VoiceVerdict.SYNTHETIC and score is not None:
        verdicts = verdicts._replace(voices_strength=strength_of(score, MaterialKind.VOICE))
    return verdicts


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
        no_face=bool(fields.get("no_face")),  # not said by summaries of 0.2 and earlier, as are strengths
        faces_strength=_strength(fields),
        voices_strength=_strength(voice),
    )


def _strength(fields: dict[str, Any]) -> Strength | None:
    value = fields.get("strength")
    return Strength(value) if value else None


def _is_sound_only(fields: dict[str, Any]) -> bool:
    # Summaries of 0.2 and earlier do not say it of recordings whose sound was left out.
    return bool(fields.get("sound_only") or (fields.get("voice") or {}).get("only"))
