"""How surely one of the faces of a photograph was manipulated, however many there are.

A face's probability is calibrated on photographs of one person, half of them manipulated; its odds are
therefore its likelihood ratio. Of many unmanipulated faces the highest is high more often than that of one.
Where either no face of a photograph was manipulated or one was, each as likely as any other, the photograph's
likelihood ratio is the mean of its faces' ratios: that of a mixture of simple alternatives.
"""

from __future__ import annotations

from collections.abc import Sequence

from detector.schema.analysis import Analysis, MediaKind, Parameters, Person

_ALMOST_SURE = 1 - 1e-9


def averaged(probabilities: Sequence[float], faces: int) -> float:
    """The probability whose odds are the sum of those of ``probabilities``, divided by ``faces``."""
    if faces == 1 and len(probabilities) == 1:
        return probabilities[0]  # to the last digit
    bounded = [min(probability, _ALMOST_SURE) for probability in probabilities]
    odds = sum(probability / (1 - probability) for probability in bounded) / faces
    return odds / (1 + odds)


def applies(kind: MediaKind, parameters: Parameters) -> bool:
    """Whether odds are averaged. Not in videos, where one face may count as several persons."""
    return kind is MediaKind.IMAGE and parameters.average_odds


def faces_judged(persons: Sequence[Person]) -> int:
    """Of how many persons there is a probability."""
    return sum(person.probability is not None for person in persons)


def faces_averaged(analysis: Analysis) -> int:
    """Over how many faces the odds of an analysis are averaged; 0 where the highest one counts."""
    judged = faces_judged(analysis.persons)
    return judged if judged > 1 and applies(analysis.media.kind, analysis.parameters) else 0
