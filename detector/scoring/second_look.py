"""Score a few moments of each person with the second network, and measure the stability of the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.faces.crop import HEAD, INNER
from detector.faces.detections import Detections
from detector.models.card import FUSION_INPUTS
from detector.models.loaded import LoadedModel
from detector.progress import ReportShare
from detector.schema.analysis import Parameters
from detector.schema.measurements import NEAR_THRESHOLD
from detector.schema.scores import logit_of
from detector.scoring.first_pass import FirstPassResult
from detector.scoring.fused_scorer import BothNetworks, FusedScorer
from detector.scoring.fusion import SCAN, SECOND_LOGITS, SECOND_NETWORK, Floats, Fusion, second_logits_of
from detector.scoring.moments import (
    AS_IT_IS,
    OTHER_VIEWS,
    KeptMoment,
    MomentKeeper,
    MomentView,
    crop_in_view,
    evenly,
    spread,
)
from detector.scoring.person_look import PersonLook, outliers, raised_by
from detector.scoring.scorer import Scorer

InputsInViews = Callable[[PersonLook, Sequence[int], Sequence[int], Sequence[MomentView]], Floats]
"""The fusion's inputs (v, m, 5) of chosen moments of a look, in some framings, in each of some views."""

# So many of the other views are enough where with them all lie on one side of the threshold, so far from it.
_FIRST_VIEWS, _SURE = 2, 0.5  # views; of the logit
# Of the logit, by which the altered half has to exceed the other for the whole head to decide nothing.
_LEADS = 1.5
_IN_VIEWS = 3  # moments inside an interval that stands out, and outside, that further views are of
_ONE_OF_TWO = 0.5  # the stability of a person on whom the two networks contradict each other


@dataclass(frozen=True)
class StabilityCheck:
    """Checks looks at persons by ``fusion`` and what ``see`` finds; ``still``: of a photograph."""

    fusion: Fusion
    see: InputsInViews
    still: bool

    def check(self, look: PersonLook, enter: float, sparing: bool = False) -> PersonLook:
        """``look`` with the mean over views and its stability, where it is near ``enter`` or stands out.

        If ``sparing``, the inner face is not looked at in views where it would decide nothing, and two
        further views are enough that show no manipulation, however narrowly. Where the two networks
        contradict each other, no view is asked: pictures made to mislead one of them do so in any.
        """
        if self.fusion.contradicts(look.inputs)[0]:
            return replace(look, contradiction=True, stability=_ONE_OF_TWO)
        threshold = logit_of(enter)
        distance = float(self.fusion.logit(look.inputs)[0]) - threshold
        lowest, highest = (-NEAR_THRESHOLD[1], NEAR_THRESHOLD[1]) if self.still else NEAR_THRESHOLD
        if look.raised and distance < highest:
            look = self._check_contrast(look)
        elif distance < lowest:
            return self._check_peak(look, threshold)
        if look.raised or not lowest <= distance <= highest:
            return look
        altered, synthesised = (float(half[0]) for half in self.fusion.halves(look.inputs))
        framings = (HEAD,) if sparing and synthesised - altered > highest else self._framings(look.inputs)
        moved = self._moved(look, framings, threshold, 0.0 if sparing else _SURE)
        mean = moved.mean(axis=0)
        distances = self.fusion.logit(moved) - threshold
        decides = self.fusion.logit(mean[None])[0] - threshold if self.still else np.median(distances)
        return replace(
            look,
            second_logits=look.second_logits + (mean[SECOND_NETWORK] - look.inputs[0, SECOND_NETWORK]),
            stability=float(np.mean((distances >= 0) == (decides >= 0))),
        )

    def _framings(self, inputs: Floats) -> tuple[int, ...]:
        """The framings by which other views of ``inputs`` (n, 5) could change anything."""
        leads = (self.fusion.lead(inputs) >= _LEADS).all()
        return self.fusion.altered_framings if leads else (INNER, HEAD)

    def _moved(self, look: PersonLook, framings: Sequence[int], threshold: float, sure: float) -> Floats:
        """What the person amounts to (v, 5): the inputs with what each view changes; as it is first.

        So far below the threshold as ``sure`` in the first views, others are not asked.
        """
        chosen = range(0, len(look.moments), 2)
        seen = self.see(look, chosen, framings, (AS_IT_IS, *OTHER_VIEWS[:_FIRST_VIEWS])).mean(axis=1)
        moved: Floats = seen - seen[0] + look.inputs
        distances = self.fusion.logit(moved) - threshold
        # A photograph has this one moment: before it is flagged, all views are looked at.
        if (distances <= -sure).all() or not self.still and (distances >= _SURE).all():
            return moved
        more = self.see(look, chosen, framings, OTHER_VIEWS[_FIRST_VIEWS:]).mean(axis=1)
        return np.concatenate([moved, more - seen[0] + look.inputs])

    def _check_peak(self, look: PersonLook, threshold: float) -> PersonLook:
        """``look`` with the share of views in which its moments above the threshold stay there, if any.

        Such a person is calm on average, and nothing stands out enough to be raised: a finding would rest on
        these moments alone.
        """
        inputs = look.inputs_at(look.track, look.times, look.scan_at, self.fusion.within)
        at = self.fusion.logit(inputs)
        above = np.flatnonzero(at >= threshold)
        if not len(above):
            return look
        above = above[evenly(len(above), _IN_VIEWS)]
        framings = self._framings(inputs[above])
        levels = self._in_all_views(look, above.tolist(), framings, self.fusion.logit).mean(axis=1)
        moved = at[above].mean() + levels - levels[0]
        return replace(look, stability=float(np.mean(moved >= threshold)))

    def _in_all_views(
        self,
        look: PersonLook,
        chosen: Sequence[int],
        framings: Sequence[int],
        logit: Callable[[Floats], Floats],
    ) -> Floats:
        """What ``logit`` makes of ``chosen`` moments (m,) as they are and in every other view: (v, m)."""
        seen = self.see(look, chosen, framings, (AS_IT_IS, *OTHER_VIEWS))
        return logit(seen.reshape(-1, len(FUSION_INPUTS))).reshape(seen.shape[:2])

    def _check_contrast(self, look: PersonLook) -> PersonLook:
        """``look`` with the contrast that is the mean over views; without what no longer stands out in it."""
        assert self.fusion.contrast is not None
        standing_out = raised_by(look.raised, look.track, look.times) > 0
        if standing_out.all() or not standing_out.any():
            return look
        inside, outside = (
            side[evenly(len(side), _IN_VIEWS)] for side in map(np.flatnonzero, (standing_out, ~standing_out))
        )
        framings = self.fusion.altered_framings
        altered = self._in_all_views(look, [*inside, *outside], framings, self.fusion.altered.logit)
        contrast = altered[:, : len(inside)].mean(axis=1) - altered[:, len(inside) :].mean(axis=1)
        moved = contrast - contrast[0]
        least = self.fusion.contrast.least
        highest = max(one.contrast for one in look.raised)
        stays = highest + moved.mean() >= least
        return replace(
            look,
            stability=float(np.mean((highest + moved >= least) == stays)),
            raised=tuple(
                one.moved(float(moved.mean()), self.fusion.contrast)
                for one in look.raised
                if one.contrast + moved.mean() >= least
            ),
        )


_UNEVEN = 1.5  # of the altered half's logit: a track with such a contrast is looked at in more moments
_CALM = 0.3  # of the published logit, from the threshold of doubt down to a calm person's moments on average
_LEAST_HALVED = 8  # moments of a person: of so many, every other one is enough where they are calm
_DENSE = 0.6  # seconds from one moment to the next: more would show nothing new


class PersonLooker:
    """Shows the second network inner faces, and the whole head in every other moment or, of a photograph or
    without ``alternate_heads``, in each.
    """

    def __init__(self, networks: BothNetworks, alternate_heads: bool = True) -> None:
        """``alternate_heads`` is :attr:`~detector.schema.analysis.Parameters.alternate_heads`."""
        self._networks = networks
        self._fusion = networks.fusion
        self._alternate_heads = alternate_heads and not networks.still

    def look(
        self,
        group: Sequence[int],
        faces: NDArray[np.void],
        kept: list[KeptMoment],
        most: int,
        doubt: float | None = None,
    ) -> PersonLook | None:
        """Look at the person of the tracks ``group``: ``most`` moments of those ``kept``, or twice as many.

        ``faces`` are the rows of the person's usable faces, with the scan's logits. With ``doubt``, a
        probability, half of the moments are enough where they are clearly below it and nothing stands out.
        None: nothing was kept.
        """
        moments = spread(kept, faces["time"], most)
        if not moments:
            return None
        logits = np.full((len(moments), SECOND_LOGITS), np.nan)
        if doubt is not None and len(moments) >= _LEAST_HALVED:
            logits[::2] = self._completed(logits[::2], moments[::2])
            half = PersonLook.of(group, moments[::2], logits[::2], faces)
            if self._is_calm(half, faces, doubt):
                return half
        logits = self._completed(logits, moments)
        look = PersonLook.of(group, moments, logits, faces)
        if more := self._more_moments(look, faces, kept, most):
            # They are looked at because the altered half stands out there.
            framings = [self._fusion.altered_framings] * len(more)
            logits = np.concatenate([logits, self._networks.second.of_moments(more, AS_IT_IS, framings)])
            order = sorted(range(len(logits)), key=[moment.time for moment in (*moments, *more)].__getitem__)
            look = PersonLook.of(group, [(*moments, *more)[i] for i in order], logits[order], faces)
        raised = look.raised_intervals(self._fusion, faces["track"], faces["time"], faces["logit"])
        return replace(look, raised=raised)

    def check_stability(self, look: PersonLook, enter: float, sparing: bool = False) -> PersonLook:
        """See :meth:`detector.scoring.second_look.StabilityCheck.check`."""
        return StabilityCheck(self._fusion, self._in_views, self._networks.still).check(look, enter, sparing)

    def _completed(self, logits: Floats, moments: Sequence[KeptMoment]) -> Floats:
        """``logits`` (m, 4) with what they lack: inner faces, and whole heads of every other moment."""
        tracks = [moment.track for moment in moments]
        framings: list[list[int]] = []
        for i, track in enumerate(tracks):
            headed = not self._alternate_heads or tracks[:i].count(track) % 2 == 0
            wanted = (INNER, HEAD) if headed else (INNER,)
            framings.append(
                [framing for framing in wanted if np.isnan(logits[i, second_logits_of(framing)]).any()]
            )
        seen = self._networks.second.of_moments(moments, AS_IT_IS, framings)
        return np.where(np.isnan(seen), logits, seen)

    def _is_calm(self, look: PersonLook, faces: NDArray[np.void], doubt: float) -> bool:
        """Whether ``look`` is clearly below ``doubt``, in each moment, and nothing of it stands out."""
        told = look.track, look.times, look.scan_at
        below = logit_of(doubt) - self._fusion.logit(look.inputs_at(*told, self._fusion.within))
        if below.min() < 0 or below.mean() < _CALM or self._fusion.contradicts(look.inputs)[0]:
            return False
        uneven = self._altered(look, faces)
        return not any(outliers(times, altered, _UNEVEN) for _, times, altered in uneven)

    def _more_moments(
        self, look: PersonLook, faces: NDArray[np.void], kept: Sequence[KeptMoment], most: int
    ) -> list[KeptMoment]:
        """At most ``most`` of the moments ``kept`` around what stands out, where ``look`` has few."""
        more: list[KeptMoment] = []
        for track, times, altered in self._altered(look, faces):
            own = look.times[look.track == track]
            apart = float(np.ptp(times)) / max(1, len(own))
            if apart < _DENSE:
                continue
            around = [
                (times[one.first] - apart, times[one.last] + apart)
                for one in outliers(times, altered, _UNEVEN)
            ]
            # Of two that lie near each other, what is around may overlap.
            more += [
                moment
                for moment in kept
                if moment.track == track
                and moment.time not in own
                and any(start <= moment.time <= end for start, end in around)
            ]
        return more if len(more) <= most else [more[i] for i in evenly(len(more), most)]

    def _altered(self, look: PersonLook, faces: NDArray[np.void]) -> Iterator[tuple[int, Floats, Floats]]:
        """See :meth:`PersonLook.altered`; of each of ``faces``."""
        return look.altered(self._fusion, faces["track"], faces["time"], faces["logit"])

    def _in_views(
        self, look: PersonLook, chosen: Sequence[int], framings: Sequence[int], views: Sequence[MomentView]
    ) -> Floats:
        """The fusion's inputs (v, m, 5) of ``chosen`` moments of ``look`` in ``views``.

        Of other framings than these the second network says in other views what it said as they are. The
        whole heads of every other moment stand for all: from view to view these move as they do on average.
        """
        moments = [look.moments[i] for i in chosen]
        but_heads = [framing for framing in framings if framing != HEAD or not self._alternate_heads]
        shown = [but_heads if rank % 2 else framings for rank in range(len(moments))]
        as_they_are = self._with_heads(look, chosen, [HEAD in each for each in shown])
        scan = self._networks.scan
        size = scan.card.input.size
        seen = np.empty((len(views), len(moments), len(FUSION_INPUTS)))
        for view, into in zip(views, seen, strict=True):
            into[:, SCAN] = scan.logits([crop_in_view(moment, view, INNER, size) for moment in moments])
            into[:, SECOND_NETWORK] = as_they_are
            if view is not AS_IT_IS:
                into[:, SECOND_NETWORK] += _mended(
                    self._networks.second.of_moments(moments, view, shown) - as_they_are
                )
        return seen

    def _with_heads(self, look: PersonLook, chosen: Sequence[int], wanted: Sequence[bool]) -> Floats:
        """What the second network says of ``chosen`` moments (m, 4), of whole heads where ``wanted``.

        Of every other moment ``look`` has the inner face alone.
        """
        lacking = [
            (HEAD,) if asked and not look.headed[i] else () for i, asked in zip(chosen, wanted, strict=True)
        ]
        heads = self._networks.second.of_moments([look.moments[i] for i in chosen], AS_IT_IS, lacking)
        return np.where(np.isnan(heads), look.second_logits[list(chosen)], heads)


def _mended(changes: Floats) -> Floats:
    """``changes`` (m, 4) with the mean of its column in place of what is no number; 0 where all is none."""
    out = changes.copy()
    for column in out.T:
        missing = np.isnan(column)
        column[missing] = 0.0 if missing.all() else column[~missing].mean()
    return out


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
