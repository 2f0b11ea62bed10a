"""The second look: a stronger network at a few moments of each person, fused with what the scan said.

The scan's network is fast and sees every sampled frame; the second look's
(:mod:`detector.scoring.second_network`) sees larger crops of about eight moments of each person, which
:mod:`detector.scoring.person_looker` chooses: the inner face, and the whole head in every other one. Its
logits go over from one moment to the next (:mod:`detector.scoring.person_look`) and are fused with the scan's
frame by frame (:mod:`detector.scoring.fusion`), so that all later rules go on as they are.

Where the fused score is not clearly on one side of the threshold, or something stands out, moments are looked
at in further views (:mod:`detector.scoring.settling`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from detector.faces.crop import CropSquare, crop_square
from detector.faces.detections import Detection
from detector.faces.framing import HEAD, INNER, head_square
from detector.media.frame import Image
from detector.models.loaded import LoadedModel
from detector.schema import analysis as schema
from detector.scoring.contrast import amounts
from detector.scoring.explainable import SCAN, Explainable, Part, explainable_of_fused
from detector.scoring.first_pass import FirstPassResult
from detector.scoring.fusion import INPUTS, Floats, Fusion
from detector.scoring.moments import KeptMoment, MomentKeeper
from detector.scoring.person_look import PersonLook
from detector.scoring.person_looker import PersonLooker
from detector.scoring.scorer import Scorer, sigmoid
from detector.scoring.second_network import SecondNetwork
from detector.scoring.settling import Settler
from detector.scoring.views import AS_IT_IS, View, in_frame, seen_in, squares

_USABLE_PER_MOMENT = 3
_MANY = 5  # people in one photograph, beyond whom views are spared


class FusedScorer(Scorer):
    """A scorer whose logits are fused with what the second look found of each person."""

    def __init__(self, scan: Scorer, model: LoadedModel, alternate_heads: bool = True) -> None:
        """``alternate_heads`` is :attr:`~detector.schema.analysis.Parameters.alternate_heads`."""
        assert model.second_look is not None and model.card.second_look is not None
        self.__dict__.update(scan.__dict__)
        self._scan = scan
        self.card = scan.card.fused
        self.fusion = Fusion.of(model.card.second_look, scan.still)
        self.looks: list[PersonLook] = []
        self._network = SecondNetwork(model.second_look, scan.requested_backend, scan.still)
        self._alternate_heads = alternate_heads and not scan.still
        self.looker = PersonLooker(self._network, self.fusion, self._alternate_heads)

    def fuse(self, track: NDArray[np.int32], time: Floats, logits: Floats) -> Floats:
        """See :meth:`Scorer.fuse`. For people who were not looked at, the second network says nothing."""
        added = amounts([one for look in self.looks for one in look.raised], track, time)
        return self.fusion.logit(self._inputs_at(track, time, logits), added)

    def second_look_of(self, track: int) -> schema.SecondLook | None:
        look = self._look_of(track)
        if look is None:
            return None
        altered, synthesised = (float(half[0]) for half in self.fusion.halves(look.inputs))
        return schema.SecondLook(
            scan=self._scan.exhibit_probability(look.scan_level),
            altered=sigmoid(altered),
            synthesised=sigmoid(synthesised),
            stability=look.stability,
            contradiction=look.contradiction,
            contrasts=tuple(
                schema.SecondLookContrast(
                    track=one.track, start=one.start, end=one.end, contrast=one.contrast, raised=one.amount
                )
                for one in look.raised
            ),
            moments=tuple(map(self._told, look.moments, look.strong.tolist(), look.headed.tolist())),
        )

    def _told(self, moment: KeptMoment, logits: Sequence[float], headed: bool) -> schema.SecondLookMoment:
        inner_altered, inner_synthesised, *head = [round(logit, 4) for logit in logits]
        head_altered, head_synthesised = head if headed else (None, None)
        return schema.SecondLookMoment(
            time=moment.time,
            pts=moment.pts,
            inner_altered=inner_altered,
            inner_synthesised=inner_synthesised,
            head_altered=head_altered,
            head_synthesised=head_synthesised,
        )

    def explainable(self, image: Image, peak: Detection) -> Explainable:
        """See :func:`detector.scoring.explainable.explainable_of_fused`."""
        track, time = np.array([peak.track]), np.array([peak.time])
        scanned = self._scan.logits([crop_square(image, peak.square, self._scan.card.input.size)])
        look = self._look_of(peak.track)
        added = amounts(look.raised if look else (), track, time)
        inputs = self._inputs_at(track, time, scanned)
        return explainable_of_fused(
            self.fusion, inputs, added, self._parts(image, peak), partial(self._crop, image, peak)
        )

    def _parts(self, image: Image, peak: Detection) -> tuple[Part, ...]:
        height, width = image.shape[:2]
        inner, head = peak.square, head_square(peak.box, width, height)
        second, of_head, of_second = self._network.model, self._network.head_columns, self._network.of_crops
        return (
            Part((SCAN,), self._scan.loaded, None, INNER, inner, lambda c: self._scan.logits(c)[:, None]),
            Part((1, 2), second, (0, 1), INNER, inner, lambda c: of_second(c)[:, :2]),
            Part((3, 4), second, of_head, HEAD, head, lambda c: of_second(c)[:, of_head]),
        )

    def _crop(self, image: Image, peak: Detection, part: Part) -> tuple[Image, CropSquare]:
        """What ``part`` sees of ``peak``, and where: of a photograph the very crop that was judged."""
        size, look = part.model.card.input.size, self._look_of(peak.track)
        if self.still and SCAN not in part.columns and look is not None:
            moment = look.moments[0]
            square = squares(moment, AS_IT_IS)[part.framing]
            return seen_in(moment, AS_IT_IS, part.framing, size), in_frame(square, moment, peak.box)
        return crop_square(image, part.square, size), part.square

    def settle(self, look: PersonLook, enter: float, sparing: bool = False) -> PersonLook:
        """See :meth:`detector.scoring.settling.Settler.settle`."""
        return Settler(self.fusion, self._views, self.still).settle(look, enter, sparing)

    def _views(
        self, look: PersonLook, chosen: Sequence[int], parts: Sequence[int], views: Sequence[View]
    ) -> Floats:
        """The fusion's inputs (v, m, 5) of ``chosen`` moments of ``look`` in ``views``.

        Of other framings than ``parts`` the second network says in other views what it said as they are. The
        heads of every other moment stand for all: from view to view these move as they do on average.
        """
        moments, as_they_are = [look.moments[i] for i in chosen], look.strong[list(chosen)]
        without = [part for part in parts if part != HEAD or not self._alternate_heads]
        own = [without if rank % 2 else parts for rank in range(len(moments))]
        lacking = [
            () if look.headed[i] or HEAD not in shown else (HEAD,)
            for i, shown in zip(chosen, own, strict=True)
        ]
        heads = self._network.of_moments(moments, AS_IT_IS, lacking)
        as_they_are = np.where(np.isnan(heads), as_they_are, heads)
        seen = np.empty((len(views), len(moments), len(INPUTS)))
        for view, into in zip(views, seen, strict=True):
            into[:, 0] = self._fast(moments, view)
            into[:, 1:] = as_they_are
            if view is not AS_IT_IS:
                into[:, 1:] += _mended(self._network.of_moments(moments, view, own) - as_they_are)
        return seen

    def _fast(self, moments: Sequence[KeptMoment], view: View) -> Floats:
        """The fast network's logits (m,) of ``moments`` in one view."""
        size = self._scan.card.input.size
        return self._scan.logits([seen_in(moment, view, INNER, size) for moment in moments])

    def _inputs_at(self, track: NDArray[np.int32], time: Floats, fast: Floats) -> Floats:
        """The fusion's inputs (n, 5) at ``time`` of ``track``; ``fast`` are the scan's logits (n,)."""
        out = np.column_stack([fast, np.tile(self.fusion.neutral[1:], (len(time), 1))])
        for look in self.looks:
            mine = np.isin(track, look.tracks)
            if mine.any():
                out[mine] = look.inputs_at(track[mine], time[mine], fast[mine], self.fusion.within)
        return out

    def _look_of(self, track: int) -> PersonLook | None:
        return next((look for look in self.looks if track in look.tracks), None)


def look_again(
    model: LoadedModel,
    scan: Scorer,
    first_pass: FirstPassResult,
    keeper: MomentKeeper,
    parameters: schema.Parameters,
    report: Callable[[float], None],
) -> Scorer:
    """The scorer that decides, once every person of ``first_pass`` was looked at in the moments kept.

    The logits of its detections are fused; ``report`` is told the share done. The scan's own scorer where
    there is nothing to look at.
    """
    rows = first_pass.detections.rows
    usable = rows[~np.isnan(rows["logit"])]
    if not len(usable):
        return scan
    scorer = FusedScorer(scan, model, parameters.alternate_heads)
    sparing = scan.still and len(first_pass.persons) > _MANY
    for done, group in enumerate(first_pass.persons):
        report(done / len(first_pass.persons))
        mine = usable[np.isin(usable["track"], group)]
        look = scorer.looker.look(
            group, mine, keeper.of(group), moments_wanted(parameters, len(mine)), parameters.doubt_threshold
        )
        if look is not None:
            scorer.looks.append(scorer.settle(look, parameters.enter_threshold, sparing))
    known = ~np.isnan(rows["logit"])
    rows["logit"][known] = scorer.fuse(rows["track"][known], rows["time"][known], rows["logit"][known])
    return scorer


def _mended(changes: Floats) -> Floats:
    """``changes`` (m, 4) with the mean of its column in place of what is no number; 0 where all is none."""
    out = changes.copy()
    for column in out.T:
        missing = np.isnan(column)
        column[missing] = 0.0 if missing.all() else column[~missing].mean()
    return out


def moments_wanted(parameters: schema.Parameters, usable: int) -> int:
    """How many moments of a person with so many usable faces are looked at."""
    return min(parameters.second_look, -(-usable // _USABLE_PER_MOMENT))
