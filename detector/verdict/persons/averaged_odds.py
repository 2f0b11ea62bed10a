"""How surely one of the faces of a photograph was manipulated, however many there are.

A face's probability is calibrated on photographs of one person, half of them manipulated; its odds are
therefore its likelihood ratio. Of many unmanipulated faces the highest is high more often than that of one.
Where either no face of a photograph was manipulated or one was, each as likely as any other, the photograph's
likelihood ratio is the mean of its faces' ratios: that of a mixture of simple alternatives.
"""

from __future__ import annotations

from collections.abc import Sequence

from detector.schema.analysis import MediaKind, Parameters
from detector.verdict.judged_exhibit import JudgedExhibit
from detector.verdict.persons.finding_basis import weighed_faces
from detector.verdict.persons.flagged import who_reaches

_ALMOST_SURE = 1 - 1e-9


def averaged(probabilities: Sequence[float]) -> float:
    """The probability whose odds are the mean of those of ``probabilities``, which are not empty."""
    if len(probabilities) == 1:
        return probabilities[0]  # to the last digit
    bounded = [min(probability, _ALMOST_SURE) for probability in probabilities]
    odds = sum(probability / (1 - probability) for probability in bounded) / len(bounded)
    return odds / (1 + odds)


def could_be(figure: float, probabilities: Sequence[float], tolerance: float) -> bool:
    """Whether ``figure`` may be their :func:`averaged` one, each of them and itself off by ``tolerance``.

    Near 1 a small difference of one probability is a large one of its odds.
    """
    least = averaged([max(probability - tolerance, 0.0) for probability in probabilities])
    most = averaged([min(probability + tolerance, 1.0) for probability in probabilities])
    return least - tolerance <= figure <= most + tolerance


def applies(kind: MediaKind, parameters: Parameters) -> bool:
    """Whether odds are averaged. Not in videos, where one face may count as several persons."""
    return kind is MediaKind.IMAGE and parameters.average_odds


def outweighed_faces(exhibit: JudgedExhibit) -> list[str]:
    """Names of the faces of a photo that reach the threshold alone, but are no finding among the others."""
    if exhibit.segments or not applies(exhibit.kind, exhibit.parameters):
        return []
    return who_reaches(weighed_faces(exhibit.persons), exhibit.parameters)
