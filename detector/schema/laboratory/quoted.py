"""What a report quotes of a laboratory's validation, ``laboratory.json``, with its own thresholds.

An extract of ``validation.json`` without the files it was measured on, so that it can go with every report.
"""

from __future__ import annotations

from pydantic import Field, model_validator

from detector.schema.analysis import MediaKind
from detector.schema.base import Probability, Sha256, Value
from detector.schema.laboratory.validation import (
    ByOther,
    ByRule,
    CoveredCodec,
    CoveredRange,
    Level,
    LikelihoodRatios,
    ValidatedModel,
)
from detector.schema.method.parameters import Parameters, with_what_it_lacks
from detector.schema.model import Rate

NAME = "laboratory.json"
LABORATORY_SCHEMA_VERSION = "1.2"


class OwnThreshold(Value):
    """The published probability from which the laboratory itself flags exhibits of a kind."""

    kind: MediaKind
    threshold: Probability
    shipped: Probability = Field(description="what the verdict flags from; not always as shipped")
    by: str = Field(description="what it was chosen by, in words")
    false_positive: Rate
    false_negative: Rate


class Laboratory(Value):
    """One validation as reports quote it."""

    schema_version: str = LABORATORY_SCHEMA_VERSION
    validation_sha256: Sha256 = Field(description="of validation.json")
    title: str
    laboratory: str | None
    created: str
    files: int = Field(gt=0)
    model: ValidatedModel
    parameters: Parameters
    source_sha256: Sha256 | None
    levels: tuple[Level, ...]
    others: tuple[ByOther, ...] = Field(default=(), description="other models, side by side; since 1.1")
    joint: tuple[ByRule, ...] = Field(default=(), description="all models together, by rule; since 1.1")
    likelihood_ratios: tuple[LikelihoodRatios, ...] = Field(description="without their plots")
    covered: tuple[CoveredRange, ...]
    codecs: tuple[CoveredCodec, ...] = Field(
        default=(), description="of the videos, the most frequent first; empty also before 1.2"
    )
    limits: tuple[str, ...]
    thresholds: tuple[OwnThreshold, ...] = ()

    _lacking = model_validator(mode="before")(with_what_it_lacks)

    def to_json(self) -> str:
        """Text of ``laboratory.json``: UTF-8, two-space indent, keys in schema order."""
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Laboratory:
        """Read what :meth:`to_json` wrote; raises ``pydantic.ValidationError`` on anything else."""
        return cls.model_validate_json(text)
