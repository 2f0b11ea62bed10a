"""How often the network for voices errs, as a table; its model card lists every figure that was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from detector.schema.strength import MaterialKind, strength_rate
from detector.schema.voice import Voice, VoiceVerdict
from language.formatting import shown
from language.translation import N_, gettext, translated
from reports.wording.verbal_scale import rate_sentence

# Figures of the card as they are named for recordings as published, and after a change.
_AUC, _AUC_AFTER = "AUC, all pages together", "AUC"
_FLAGGED = "human recordings flagged"
_FOUND = "synthetic recordings found"
_OPEN = "recordings inconclusive"
_AFTER = " after "
_KINDS = (N_("text to speech"), N_("voice conversion"), N_("vocoder or codec only"))
_CHANGES = (N_("telephone band"), N_("noise at 15 dB"))  # those whose names are not the same everywhere


@dataclass(frozen=True)
class RateRow:
    """Rates measured on recordings as published, or after one change to them."""

    sound: str
    flagged: str
    found: str
    inconclusive: str
    auc: str


@dataclass(frozen=True)
class NetworkRates:
    """The rows of the table, and the area under the curve by kind of system in a sentence."""

    rows: tuple[RateRow, ...]
    kinds: str


def network_rates(figures: Mapping[str, float]) -> NetworkRates:
    """Return the error rates among the ``figures`` of a model card; no rows where it has none."""
    changes = [name.removeprefix(_FLAGGED + _AFTER) for name in figures if name.startswith(_FLAGGED + _AFTER)]
    rows = [_row(figures, gettext("as published"), "", _AUC)] if _FLAGGED in figures else []
    rows += [
        _row(figures, translated(change), _AFTER + change, f"{_AUC_AFTER}{_AFTER}{change}")
        for change in changes
    ]
    kinds = "; ".join(
        f"{translated(kind)} {shown(figures[f'AUC, {kind}'], '.2f')}"
        for kind in _KINDS
        if f"AUC, {kind}" in figures
    )
    return NetworkRates(
        tuple(rows), gettext("AUC by kind of system: %(kinds)s.", kinds=kinds) if kinds else ""
    )


def _row(figures: Mapping[str, float], sound: str, ending: str, auc: str) -> RateRow:
    def rate(name: str) -> str:
        value = figures.get(name + ending)
        return "–" if value is None else shown(value, ".1%" if 0 < value < 0.01 else ".0%")

    area = figures.get(auc)
    return RateRow(
        sound, rate(_FLAGGED), rate(_FOUND), rate(_OPEN), "–" if area is None else shown(area, ".2f")
    )


def voice_reliability(voice: Voice) -> str:
    """State how often verdicts on voices like this one were wrong, or that it is unknown.

    Return "" beside a verdict that states nothing.
    """
    figures, verdict, strength = voice.model.figures, voice.verdict, voice.strength
    if strength is not None and strength_rate(figures, MaterialKind.VOICE, strength) is not None:
        return rate_sentence(figures, MaterialKind.VOICE, strength)
    if verdict is VoiceVerdict.SYNTHETIC and _FLAGGED in figures:
        return gettext(
            "Of 100 human recordings from sources unknown to the model, %(share)s were flagged.",
            share=shown(100 * figures[_FLAGGED], ".0f"),
        )
    if verdict is VoiceVerdict.NOT_FOUND and _FOUND in figures:
        return gettext(
            "Of 100 synthetic recordings from sources unknown to the model, %(share)s were not flagged.",
            share=shown(100 * (1 - figures[_FOUND]), ".0f"),
        )
    if verdict in (VoiceVerdict.SYNTHETIC, VoiceVerdict.NOT_FOUND):
        return gettext("This was not measured for this model, so the rate is unknown.")
    return ""
