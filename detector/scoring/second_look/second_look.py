"""The second look: a stronger network at a few moments of each person, fused with what the scan said.

The scan is fast and sees every sampled frame; the second network
(:mod:`detector.scoring.second_look.second_network`) sees larger crops of about eight moments of each person,
which :mod:`detector.scoring.second_look.person_looker` chooses: the inner face, and the whole head in every
other one. Its logits go over from one moment to the next
(:mod:`detector.scoring.second_look.person_look`) and are fused with the scan's frame by frame
(:mod:`detector.scoring.second_look.fused_scorer`), so that all later rules go on as they are.

Where the fused score is not clearly on one side of the threshold, or something stands out, moments are looked
at in further views (:mod:`detector.scoring.second_look.stability`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.faces.detections import Detections
from detector.models.loaded import LoadedModel
from detector.progress import ReportShare
from detector.schema.analysis import Parameters
from detector.scoring.first_pass.first_pass import FirstPassResult
from detector.scoring.first_pass.moments import KeptMoment, MomentKeeper
from detector.scoring.scorer import Scorer
from detector.scoring.second_look.fused_scorer import FusedScorer
from detector.scoring.second_look.person_looker import PersonLooker
from detector.scoring.second_look.second_network import BothNetworks

_USABLE_PER_MOMENT = 3
_MANY = 5  # people in one photograph, beyond whom views are spared


class KeptOfPerson(NamedTuple):
    """What there is to look at of a person: arguments of :meth:`~PersonLooker.look`."""

    group: Sequence[int]
    """The person's tracks."""
    faces: NDArray[np.void]
    """Rows of their usable faces."""
    kept: list[KeptMoment]
    """Of these faces, those whose pixels were kept."""
    most: int
    """How many of them are looked at, before some are left out or added."""


def kept_of_persons(
    first_pass: FirstPassResult, keeper: MomentKeeper, parameters: Parameters
) -> Iterator[KeptOfPerson]:
    """Everyone in ``first_pass`` with the moments kept of them, also those of whom there are none."""
    usable = first_pass.detections.scored_rows
    for group in first_pass.person_tracks:
        faces = usable[np.isin(usable["track"], group)]
        most = min(parameters.second_look, -(-len(faces) // _USABLE_PER_MOMENT))
        yield KeptOfPerson(group, faces, keeper.of(group), most)


def look_again(
    model: LoadedModel,
    scan: Scorer,
    first_pass: FirstPassResult,
    keeper: MomentKeeper,
    parameters: Parameters,
    progress: ReportShare,
) -> Scorer:
    """Look at every person of ``first_pass`` in the moments kept; ``progress`` is told the share done.

    Returns the scorer that decides from here on: ``scan`` where there is nothing to look at. Logits of
    ``first_pass`` are still those of the scan (:func:`fill_in_fused`).
    """
    if not len(first_pass.detections.scored_rows):
        return scan
    networks = BothNetworks.of(scan, model)
    looker = PersonLooker(networks, parameters.alternate_heads)
    sparing = scan.still and len(first_pass.person_tracks) > _MANY
    looks = []
    for done, person in enumerate(kept_of_persons(first_pass, keeper, parameters)):
        progress(done / len(first_pass.person_tracks))
        look = looker.look(person.group, person.faces, person.kept, person.most, parameters.doubt_threshold)
        if look is not None:
            looks.append(looker.check_stability(look, parameters.enter_threshold, sparing))
    return FusedScorer(networks, looks)


def fill_in_fused(detections: Detections, scorer: Scorer) -> None:
    """Put logits as ``scorer`` fuses them in place of the scan's, and its two answers beside them.

    Logits of a scan stay as they are.
    """
    usable, rows = detections.scored_rows, detections.rows
    judged = ~np.isnan(rows["logit"])
    fused = scorer.fuse(usable["track"], usable["time"], usable["logit"])
    rows["logit"][judged] = fused.logit
    rows["altered"][judged], rows["synthesised"][judged] = fused.altered, fused.synthesised
