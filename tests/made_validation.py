"""A validation made up for tests: plausible figures, no engine."""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np

from detector.schema.analysis import Analysis, Library, Parameters, Verdict
from detector.schema.causes.validations import RepetitionCode
from detector.schema.laboratory import (
    LabelledSegment,
    Repetition,
    Subject,
    ValidatedModel,
    ValidatedVoiceModel,
    Validation,
    ValidationItem,
    Versions,
)
from detector.schema.voice import VoiceVerdict
from detector.statistics.likelihood_ratios import likelihood_ratios
from detector.validation import conclude, rates
from detector.validation.limits import find_limits

VOICE_MODEL = ValidatedVoiceModel(
    name="reelproof-voice", title="Reelproof voice", architecture="Whisper base", sha256="c4" * 32,
    enter=0.65, leave=0.5, card_sha256="d5" * 32,
)  # fmt: skip
LABELLED = ("generator", "segments", "sex")


def item(number: int, *, manipulated: bool, probability: float | None, **given: object) -> ValidationItem:
    """One analysed file; its verdict follows from its probability."""
    of_voice = given.get("kind") is Subject.VOICE
    verdicts: type[Verdict | VoiceVerdict] = VoiceVerdict if of_voice else Verdict
    verdict = verdicts("inconclusive")
    if probability is not None and not 0.4 <= probability < 0.65:
        found, nothing = (
            (VoiceVerdict.SYNTHETIC, VoiceVerdict.NOT_FOUND)
            if of_voice
            else (Verdict.MANIPULATED, Verdict.NOT_FOUND)
        )
        verdict = found if probability >= 0.65 else nothing
    values: dict[str, object] = {
        "file": f"{'manipulated' if manipulated else 'real'}/clip-{number}.mp4",
        "bytes": 1000 + number,
        "sha256": hashlib.sha256(f"{number} {manipulated}".encode()).hexdigest(),
        "manipulated": manipulated,
        "group": number,
        "kind": Subject.VIDEO,
        "verdict": verdict,
        "probability": probability,
        "duration": 4.0,
        "codec": None if given.get("kind") is Subject.IMAGE else "h264",
        "faces": 1,
        "values": {"face width": 60.0 + 3 * number, "bits per pixel": 0.02 + 0.004 * number},
    }
    if of_voice:
        label = "synthetic" if manipulated else "human"
        values |= {
            "file": f"{label}-{number}.opus",
            "sha256": hashlib.sha256(f"{number} {label}".encode()).hexdigest(),
            "codec": "opus",
            "faces": 0,
            "values": {"speech": 3.0 + number, "bandwidth": 3000.0 + 100 * number},
        }
    return ValidationItem.model_validate(values | given)


def items(count: int = 40, kind: Subject = Subject.VIDEO, seed: int = 1) -> tuple[ValidationItem, ...]:
    """As many of either label, the manipulated ones with higher scores."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        for manipulated in (True, False):
            score = float(rng.normal(1.6 if manipulated else -1.6, 1.3))
            made.append(
                item(
                    number,
                    manipulated=manipulated,
                    probability=round(1 / (1 + float(np.exp(-score))), 4),
                    kind=kind,
                    generator=("swap", "reenactment")[number % 2] if manipulated else None,
                    attributes={"sex": ("female", "male")[number % 2]},
                    truth=(LabelledSegment(start=1.0, end=2.0),) if manipulated and number < 3 else (),
                    segments=(LabelledSegment(start=1.1, end=2.2, confidence=0.8),) if score > 0.62 else (),
                )
            )
    return tuple(made)


def validation(of: tuple[ValidationItem, ...] | None = None, **given: object) -> Validation:
    """A whole validation of ``of``."""
    of = items() if of is None else of
    kinds = [kind for kind in Subject if any(entry.kind is kind for entry in of)]
    levels = rates.compute_levels(of, 0.65)
    ratios = tuple(
        ratio
        for kind in kinds
        if (ratio := likelihood_ratios(kind, rates.scored_items([e for e in of if e.kind is kind])))
    )
    repetitions = (
        Repetition(cause=RepetitionCode.SAME_BACKEND.cause(backends=("OpenVINO",)), items=5,
                   verdicts_changed=0, largest_difference=0.0,
                   segments_changed=0, largest_edge=0.0),
    )  # fmt: skip
    limits, voice_limits = (
        find_limits(of, levels, ratios, repetitions, LABELLED, voices=voices) for voices in (False, True)
    )
    made = Validation(
        title="Material of the laboratory",
        laboratory="Forensic laboratory",
        created="2026-11-22T18:00:00Z",
        model=ValidatedModel(
            name="reelproof", title="Reelproof", architecture="efficientnet-lite0", sha256="a7" * 32,
            temperature=1.3, card_sha256="b8" * 32,
        ),
        voice_model=VOICE_MODEL if Subject.VOICE in kinds else None,
        parameters=Parameters(),
        versions=Versions(
            reelproof="0.1.0", python="3.11", system="Linux", processor="x86_64", backends=("OpenVINO",),
            libraries=(Library(name="numpy", version="2.4.6"),),
        ),
        labelled=LABELLED,
        levels=levels,
        curves=tuple(filter(None, (rates.compute_curve(kind, of) for kind in kinds))),
        likelihood_ratios=ratios,
        temporal=conclude._temporal(rates.items_of(Subject.VIDEO, of)),
        voice_temporal=conclude._temporal(rates.items_of(Subject.VOICE, of), "voices with labelled segments"),
        repetitions=repetitions,
        covered=conclude._covered(of),
        codecs=conclude._codecs(of),
        limits=tuple(limit.text for limit in limits),
        limit_causes=limits,
        voice_limits=tuple(limit.text for limit in voice_limits),
        voice_limit_causes=voice_limits,
        material_sha256=conclude._material_sha256(of),
        items=of,
    )  # fmt: skip
    return made.model_copy(update=given)


@cache
def of_sixty() -> Validation:
    """That of sixty files of either label, for tests that only read it."""
    return validation(items(60))


def of_analysis(validation_: Validation, analysis: Analysis) -> Validation:
    """The same as if made with the model and parameters of ``analysis``."""
    fields = ("sha256", "temperature", "segment", "exhibit", "second_look")
    model = validation_.model.model_copy(update={name: getattr(analysis.model, name) for name in fields})
    return validation_.model_copy(update={"model": model, "parameters": analysis.parameters})
