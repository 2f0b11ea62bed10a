"""The second look: a stronger network at a few moments of each person, fused with what the scan said.

The scan's network is fast and sees every sampled frame; the second look's sees larger crops of about eight
moments of each person: the inner face, and the whole head in every other one. In between its logits go over
from one moment to the next (:mod:`detector.scoring.person_look`) and are fused with the scan's frame by frame
(:mod:`detector.scoring.fusion`), so that all later rules go on as they are. Of a person who is clearly calm
every other moment is enough. A track that is not calm is looked at in more moments; what stands out from the
rest of it is raised (:mod:`detector.scoring.contrast`).

Where the fused score is not clearly on one side of the threshold, or something stands out, moments are looked
at in further views (:mod:`detector.scoring.settling`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from detector.backends import selection as backends
from detector.faces.crop import CropSquare, crop_square
from detector.faces.detections import Detection
from detector.faces.framing import HEAD, INNER, head_square
from detector.media.frame import Image
from detector.models.loaded import LoadedModel
from detector.networks import readings
from detector.schema import analysis as schema
from detector.scoring.contrast import amounts, outliers
from detector.scoring.decided import SCAN, Part, explainable
from detector.scoring.first_pass import FirstPassResult
from detector.scoring.fusion import INPUTS, Floats, Fusion
from detector.scoring.moments import KeptMoment, MomentKeeper, evenly, spread
from detector.scoring.person_look import PersonLook
from detector.scoring.scorer import Explainable, Scorer, logit_of, run_in_batches, sigmoid
from detector.scoring.settling import Settler
from detector.scoring.views import AS_IT_IS, View, in_frame, seen_in, squares

_UNEVEN = 1.5  # of the altered half's logit: a track with such a contrast is looked at in more moments
_CALM = 0.3  # of the published logit, from the threshold of doubt down to a calm person's moments on average
_HALVED = 8  # moments of a person, of which every other one is enough where they are calm
_DENSE = 0.6  # seconds from one moment to the next: more would show nothing new
_USABLE_PER_MOMENT = 3
_MANY = 5  # people in one photograph, beyond whom views are spared
_run = partial(run_in_batches, batch=8)


class FusedScorer(Scorer):
    """A scorer whose logits are fused with what the second look found of each person."""

    def __init__(self, scan: Scorer, model: LoadedModel, alternate_heads: bool = True) -> None:
        """``alternate_heads`` is :attr:`~detector.schema.analysis.Parameters.alternate_heads`."""
        assert model.second_look is not None and model.card.second_look is not None
        self.__dict__.update(scan.__dict__)
        self._scan = scan
        self._second = model.second_look
        self._second_backend = backends.open_backend(model.second_look, scan.requested_backend)
        self.card = scan.card.fused
        first = readings.HEADS * (readings.PHOTOGRAPH if scan.still else readings.HEAD)
        self._of_head = tuple(range(first, first + readings.HEADS))  # of the network's outputs
        self.fusion = Fusion.of(model.card.second_look, scan.still)
        self.looks: list[PersonLook] = []
        self._alternate_heads = alternate_heads and not scan.still
        self._known: dict[bytes, Floats] = {}  # what the second network gave, by a photograph's crops

    def fuse(self, track: NDArray[np.int32], time: Floats, logits: Floats) -> Floats:
        """See :meth:`Scorer.fuse`. For people who were not looked at, the second network says nothing."""
        added = amounts([one for look in self.looks for one in look.raised], track, time)
        return self.fusion.logit(self._inputs_at(track, time, logits), added)

    def second_look_at(self, tracks: Collection[int]) -> schema.SecondLook | None:
        look = self._look_of(next(iter(tracks)))
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
        """See :func:`detector.scoring.decided.explainable`."""
        track, time = np.array([peak.track]), np.array([peak.time])
        scanned = self._scan.logits([crop_square(image, peak.square, self._scan.card.input.size)])
        look = self._look_of(peak.track)
        raised = amounts(look.raised if look else (), track, time)
        inputs = self._inputs_at(track, time, scanned)
        return explainable(
            self.fusion, inputs, raised, self._parts(image, peak), partial(self._crop, image, peak)
        )

    def _parts(self, image: Image, peak: Detection) -> tuple[Part, ...]:
        height, width = image.shape[:2]
        inner, head = peak.square, head_square(peak.box, width, height)
        of_second, of_head, second = self._of_second, self._of_head, self._second
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

    def look(
        self,
        group: Sequence[int],
        seen: NDArray[np.void],
        kept: list[KeptMoment],
        most: int,
        doubt: float | None = None,
    ) -> PersonLook | None:
        """Look at the person of the tracks ``group``: ``most`` moments of those ``kept``, or twice as many.

        ``seen`` are the scan's rows of the person's usable faces. With ``doubt``, a probability, half of the
        moments are enough where they are clearly below it and nothing stands out. None: nothing was kept.
        """
        moments = spread(kept, seen["time"], most)
        if not moments:
            return None
        strong = np.full((len(moments), 4), np.nan)
        if doubt is not None and len(moments) >= _HALVED:
            self._look_at(moments[::2], strong[::2])
            half = PersonLook.of(group, moments[::2], strong[::2], seen)
            if self._is_calm(half, seen, doubt):
                return half
        self._look_at(moments, strong)
        look = PersonLook.of(group, moments, strong, seen)
        if more := self._more_moments(look, seen, kept, most):
            # They are looked at because the altered half stands out there.
            parts = [self.fusion.altered_framings] * len(more)
            strong = np.concatenate([strong, self._strong(more, AS_IT_IS, parts)])
            order = sorted(range(len(strong)), key=[moment.time for moment in (*moments, *more)].__getitem__)
            look = PersonLook.of(group, [(*moments, *more)[i] for i in order], strong[order], seen)
        outlying = look.outlying(self.fusion, seen["track"], seen["time"], seen["logit"])
        return replace(look, raised=outlying)

    def _look_at(self, moments: Sequence[KeptMoment], strong: Floats) -> None:
        """Put into ``strong`` (m, 4) what is not there yet: inner faces, and heads of every other moment."""
        tracks = [moment.track for moment in moments]
        parts: list[list[int]] = []
        for i, track in enumerate(tracks):
            headed = not self._alternate_heads or tracks[:i].count(track) % 2 == 0
            wanted = (INNER, HEAD) if headed else (INNER,)
            parts.append([part for part in wanted if np.isnan(strong[i, 2 * part])])
        seen = self._strong(moments, AS_IT_IS, parts)
        np.copyto(strong, seen, where=~np.isnan(seen))

    def _is_calm(self, look: PersonLook, seen: NDArray[np.void], doubt: float) -> bool:
        """Whether ``look`` is clearly below ``doubt``, in each moment, and nothing of it stands out."""
        told = look.track, look.times, look.scan_at
        below = logit_of(doubt) - self.fusion.logit(look.inputs_at(*told, self.fusion.within))
        if below.min() < 0 or below.mean() < _CALM or self.fusion.contradicts(look.inputs)[0]:
            return False
        uneven = look.altered(self.fusion, seen["track"], seen["time"], seen["logit"])
        return not any(outliers(times, altered, _UNEVEN) for _, times, altered in uneven)

    def _more_moments(
        self, look: PersonLook, seen: NDArray[np.void], kept: Sequence[KeptMoment], most: int
    ) -> list[KeptMoment]:
        """At most ``most`` of the moments ``kept`` around what stands out, where ``look`` has few."""
        more: list[KeptMoment] = []
        for track, times, altered in look.altered(self.fusion, seen["track"], seen["time"], seen["logit"]):
            own = look.times[look.track == track]
            apart = float(np.ptp(times)) / max(1, len(own))
            if apart < _DENSE:
                continue
            for one in outliers(times, altered, _UNEVEN):
                start, end = times[one.first] - apart, times[one.last] + apart
                more += [
                    moment
                    for moment in kept
                    if moment.track == track and start <= moment.time <= end and moment.time not in own
                ]
        return more if len(more) <= most else [more[i] for i in evenly(len(more), most)]

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
        heads = self._strong(moments, AS_IT_IS, lacking)
        as_they_are = np.where(np.isnan(heads), as_they_are, heads)
        seen = np.empty((len(views), len(moments), len(INPUTS)))
        for view, into in zip(views, seen, strict=True):
            into[:, 0] = self._fast(moments, view)
            if view is AS_IT_IS:
                into[:, 1:] = as_they_are
            else:
                into[:, 1:] = as_they_are + _mended(self._strong(moments, view, own) - as_they_are)
        return seen

    def _fast(self, moments: Sequence[KeptMoment], view: View) -> Floats:
        """The fast network's logits (m,) of ``moments`` in one view."""
        size = self._scan.card.input.size
        return self._scan.logits([seen_in(moment, view, INNER, size) for moment in moments])

    def _strong(self, moments: Sequence[KeptMoment], view: View, parts: Sequence[Sequence[int]]) -> Floats:
        """The second network's logits (m, 4), as :class:`~detector.schema.analysis.SecondLookMoment`.

        ``parts`` are the framings of each moment that are looked at; logits of others are no numbers, and
        cost nothing.
        """
        size = self._second.card.input.size
        places = [(i, part) for i, own in enumerate(parts) for part in own]
        seen = np.full((len(moments), 4), np.nan)
        if not places:
            return seen
        crops = [seen_in(moments[i], view, part, size) for i, part in places]
        out = _run(self._second_backend, crops)
        if self.still and view is AS_IT_IS:
            self._known.update(zip(map(_key, crops), out[:, None], strict=True))
        for (i, part), logits in zip(places, out, strict=True):
            # Each reading has its own two of the network's logits.
            seen[i, 2 * part : 2 * part + 2] = logits[list(self._of_head) if part == HEAD else [0, 1]]
        return seen

    def _of_second(self, crops: Sequence[Image]) -> Floats:
        """The second network's logits (n, c); what it has seen of a photograph it is not asked again."""
        if len(crops) == 1 and (known := self._known.get(_key(crops[0]))) is not None:
            return known
        return _run(self._second_backend, crops)

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
        look = scorer.look(
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


def _key(crop: Image) -> bytes:
    return hashlib.sha256(crop.tobytes()).digest()


def moments_wanted(parameters: schema.Parameters, usable: int) -> int:
    """How many moments of a person with so many usable faces are looked at."""
    return min(parameters.second_look, -(-usable // _USABLE_PER_MOMENT))
