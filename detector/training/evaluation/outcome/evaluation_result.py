"""What one evaluation found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from detector.models.card import Card
from detector.schema.analysis import Parameters
from detector.training.evaluation.figures.metrics import Scored
from detector.training.evaluation.outcome.failures import WrongJudgement


@dataclass
class Measured:
    """Everything one evaluation found: ``figures`` for the card, the rest for the page and the file."""

    card: Card
    parameters: Parameters
    figures: dict[str, float] = field(default_factory=dict)
    levels: dict[str, dict[str, Any]] = field(default_factory=dict)
    curves: dict[str, Scored] = field(default_factory=dict)
    temporal: dict[str, Any] = field(default_factory=dict)
    robustness: list[dict[str, Any]] = field(default_factory=list)
    explanation: list[dict[str, Any]] = field(default_factory=list)
    left_out: dict[str, float] = field(default_factory=dict)
    failures: list[WrongJudgement] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "model": {
                "name": self.card.name,
                "title": self.card.title,
                "architecture": self.card.architecture,
                "sha256": self.card.sha256,
                "temperature": self.card.temperature,
            },
            "parameters": self.parameters.model_dump(),
            "figures": self.figures,
            "levels": self.levels,
            "left out": self.left_out,
            "temporal": self.temporal,
            "robustness": self.robustness,
            "explanation": self.explanation,
            "notes": self.notes,
        }
