"""Write weights and card of the network of voices below ``models/voice``."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import numpy as np

from detector.files import FILES, write_atomically
from detector.schema.causes.cards import CardCode
from detector.schema.model import Range
from detector.voice.card import VOICE_MODEL, VoiceCard, voice_model_files
from training.voice.heads import Head
from training.voice.measuring import Thresholds

ARCHITECTURE = (
    "Whisper base's stem and first two encoder blocks beside Distill-MOS, mean and deviation over speech, "
    "linear"
)
START = (
    "Whisper base by Alec Radford, Jong Wook Kim, Tao Xu, Greg Brockman, Christine McLeavey and Ilya "
    "Sutskever (OpenAI, 2022), MIT licence: stem and first two of six encoder blocks; Distill-MOS by "
    "Benjamin Stahl and Hannes Gamper (Microsoft, 2025), MIT licence: all but its last layers"
)
DATA = (
    "1,165 recordings of 1.5 to 4.5 s from 38 public demonstration pages: human speech, text to speech, "
    "voice conversion, vocoders and neural codecs",
)
TERMS = (
    "The recordings are for research; whoever trains or deploys on them is bound by the terms of their "
    "pages. These weights were trained by the Reelproof project from Whisper base and Distill-MOS (MIT) and "
    "are shared under Apache-2.0."
)
DOMAIN = CardCode.VOICE_DOMAIN.cause()
LIMITS = (
    CardCode.UNKNOWN_SYSTEMS_MISSED.cause(),
    CardCode.SHORT_SYNTHETIC_SPEECH.cause(),
    CardCode.HUMAN_SPEECH_FLAGGED.cause(),
    CardCode.VOCODED_SPEECH.cause(),
    CardCode.RECENT_SYSTEMS_MISSED.cause(),
    CardCode.TELEPHONE.cause(),
    CardCode.OTHER_LANGUAGES.cause(),
    CardCode.SINGING.cause(),
    CardCode.CUT_TOGETHER.cause(),
)
SHORT_LOWERED = 0.4
"""Chosen on rows of human recordings of one page, of which hardly more is flagged than in windows of 4 s."""
VALIDATED = (
    Range(
        name="bandwidth",
        unit="Hz",
        least=3400.0,
        most=None,
        cause=CardCode.RANGE_BANDWIDTH.cause(),
    ),
    Range(
        name="signal-to-noise ratio",
        unit="dB",
        least=15.0,
        most=None,
        cause=CardCode.RANGE_NOISE.cause(),
    ),
)


def card_of(
    thresholds: Thresholds, figures: Mapping[str, float], recipe: Mapping[str, float | int | str]
) -> VoiceCard:
    """Return the card, without the hash of weights."""
    return VoiceCard(
        name=VOICE_MODEL,
        title="Reelproof voice",
        architecture=ARCHITECTURE,
        sha256="",
        start=START,
        data=DATA,
        terms=TERMS,
        domain_cause=DOMAIN,
        limit_causes=LIMITS,
        window=thresholds.calibration,
        enter=thresholds.enter,
        leave=round(thresholds.enter - 0.15, 2),
        doubt=thresholds.doubt,
        validated=VALIDATED,
        figures={name: round(value, 4) for name, value in figures.items()},
        recipe=dict(recipe),
        short_lowered=SHORT_LOWERED,
    )


def ship(
    encoder: Mapping[str, np.ndarray], head: Head, card: VoiceCard, models: Path = FILES / "models"
) -> VoiceCard:
    """Write float16 weights, and the card with their hash."""
    from safetensors.numpy import save

    tensors = {name: np.ascontiguousarray(array.astype(np.float16)) for name, array in encoder.items()}
    tensors["head.weight"] = head.weight.astype(np.float32)
    tensors["head.bias"] = np.array([head.bias], np.float32)
    data = save(tensors)
    card = card.model_copy(update={"sha256": sha256(data).hexdigest()})
    weights, card_file = voice_model_files(models)
    weights.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(weights, data)
    write_atomically(card_file, (card.model_dump_json(indent=2) + "\n").encode())
    write_atomically(card_file.with_suffix(".md"), describe(card).encode())
    return card


def describe(card: VoiceCard) -> str:
    """Return the card as Markdown."""
    by_state: dict[str, list[str]] = {}
    for name, value in card.figures.items():
        figure, _, state = name.partition(" after ")
        by_state.setdefault(state, []).append(f"{figure} {value:g}")
    rows = "\n".join(
        f"- {f'**after {state}**: ' if state else ''}{'; '.join(figures)}"
        for state, figures in by_state.items()
    )
    limits = "\n".join(f"- {limit}" for limit in card.limits)
    data = "\n".join(f"- {entry}" for entry in card.data)
    return f"""# {card.title}

Says whether speech is synthetic. {card.architecture}.

- Start: {card.start}.
- Weights: SHA-256 `{card.sha256}`.
- A segment opens at a smoothed probability of {card.enter:g} and closes below {card.leave:g}; a mean of \
{card.doubt:g} over all speech leaves the verdict inconclusive. In recordings of much speech, whose windows \
have 3 s instead of 4 s, logits are lowered by {card.short_lowered:g}.

## Measured

On all pages in six folds: each recording is judged by a head that has learned nothing from its page, its
speaker, the corpus of its speaker and the system that made it, nor from the others of its fold, on encoders
before they were tuned. Calibration and thresholds were chosen on these scores. What tuning changes was
measured on as many recordings as the figures name, from which the tuned encoders have learned. *Telephone and
message*: G.711 or AMR-NB of 5.15 to 12.2 kbit/s in a band of 300 to 3,400 Hz, then Opus of 12 to 24 kbit/s,
AAC of 24 or 48 kbit/s or MP3 of 32 kbit/s.

{rows}

## Domain

{card.domain}

## Limits

{limits}

## Data

{data}

{card.terms}
"""
