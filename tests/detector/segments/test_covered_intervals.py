"""What covered faces say in one interval is nobody's figure where bare ones say something in another."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from detector.faces.crop import Face
from detector.faces.detections import DetectionBuffer
from detector.faces.quality import Assessment
from detector.schema.analysis import MediaKind, Parameters, SecondLook
from detector.scoring.scorer import Scorer, sigmoid
from detector.segments import candidates
from detector.segments import candidates as segments_candidates
from detector.verdict.judged_persons import is_covered

RATE = Parameters().sample_rate
BARE, HIGHER, CALM = 3.0, 5.0, -3.0  # logits
SCORER = cast(
    Scorer,
    SimpleNamespace(
        probability=lambda logit: float(1 / (1 + np.exp(-logit))),
        person_probability=lambda logit: float(logit) / 10,
        second_look_of=lambda track: SecondLook(
            scan=0.5, altered=0.1, synthesised=0.4, stability=None, moments=()
        ),
    ),
)


@pytest.mark.parametrize(("covered", "figure"), [(10, HIGHER), (11, BARE), (19, BARE), (20, BARE)])
def test_interval_is_covered_if_most_faces_are(covered: int, figure: float) -> None:
    """Of the second interval, which scores higher, so many of twenty faces are covered."""
    logits = [BARE] * 20 + [CALM] * 20 + [HIGHER] * 20
    buffer, face = DetectionBuffer(), Face((0, 0, 60, 60), 0.9, np.zeros((5, 2), np.float32))
    for number in range(len(logits)):
        shows = Assessment(None, covered=40 <= number < 40 + covered)
        buffer.add(number, number / RATE, number, 0, face, shows)
    group = buffer.take()
    group.rows["logit"] = group.rows["altered"] = logits
    group.rows["synthesised"] = -1.0
    candidates.fill_in_smoothed(group, SCORER, Parameters())
    intervals = candidates.find_candidates("A", group, Parameters(), MediaKind.VIDEO, np.inf)
    assert [interval.covered for interval in intervals] == [0.0, covered / 20]
    person = segments_candidates.published_person("A", group, intervals, SCORER, RATE, 7.5)
    assert person.probability == figure / 10
    look = person.second_look
    assert look is not None and look.in_segments is not None
    inside = look.in_segments.altered, look.in_segments.synthesised
    assert inside == pytest.approx((sigmoid((BARE + HIGHER) / 2 if covered == 10 else BARE), sigmoid(-1.0)))
    calm = segments_candidates.published_person("A", group, [], SCORER, RATE, 7.5).second_look
    assert calm is not None and calm.in_segments is None
    whole = person.model_copy(update={"covered": intervals[1].covered})
    assert is_covered(whole) is (figure == BARE), "as for the verdict"
