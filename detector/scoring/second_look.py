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
from detector.scoring.fusion import (
    SCAN,
    SECOND_LOGITS,
    SECOND_NETWORK,
    Floats,
    Fusion,
    fusion_inputs,
    second_logits_of,
)
from detector.scoring.moments import (
    AS_IT_IS,
    OTHER_VIEWS,
    KeptMoment,
    MomentKeeper,
    MomentView,
    crop_in_view,
    evenly_spaced,
    spread,
)
from detector.scoring.person_look import PersonLook, find_outliers, raise_at
from detector.scoring.scorer import Scorer

InputsInViews = Callable[[PersonLook, Sequence[int], Sequence[int], Sequence[MomentView]], Floats]
"""The fusion's inputs (v, m, 5) of chosen moments of a look, in some framings, in each of some views."""

# This many other views are enough if all results lie on one side of the threshold, this far from it.
_FIRST_VIEWS, _SURE = 2, 0.5  # views; logit distance
# Logit by which the altered half must exceed the other one for the whole head to be irrelevant.
_LEADS = 1.5
_IN_VIEWS = 3  # moments checked in further views, inside and outside an interval that stands out
_ONE_OF_TWO = 0.5  # stability of a person on whom the two networks contradict each other


@dataclass(frozen=True)
class StabilityCheck:
    """Checks looks at persons in several views, with ``fusion`` and ``see``; ``still`` for a photograph."""

    fusion: Fusion
    see: InputsInViews
    still: bool

    def check(self, look: PersonLook, enter: float, sparing: bool = False) -> PersonLook:
        """Average ``look`` over views and set its stability, if it is near ``enter`` or stands out.

        With ``sparing``, the inner face is not scored in views where it is irrelevant, and two further views
        without manipulation are enough. If the two networks contradict each other, no view is scored:
        pictures made to mislead one of them do so in any view.
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
        """Return the framings in which other views of ``inputs`` (n, 5) could change the result."""
        leads = (self.fusion.lead(inputs) >= _LEADS).all()
        return self.fusion.altered_framings if leads else (INNER, HEAD)

    def _moved(self, look: PersonLook, framings: Sequence[int], threshold: float, sure: float) -> Floats:
        """Return the person's inputs (v, 5) in each view, the original first.

        Stops after the first views if the result is ``sure`` below the threshold.
        """
        chosen = range(0, len(look.moments), 2)
        in_views = self.see(look, chosen, framings, (AS_IT_IS, *OTHER_VIEWS[:_FIRST_VIEWS])).mean(axis=1)
        moved: Floats = in_views - in_views[0] + look.inputs
        distances = self.fusion.logit(moved) - threshold
        # A photograph has only this moment, so all views are scored before it is flagged.
        if (distances <= -sure).all() or not self.still and (distances >= _SURE).all():
            return moved
        more = self.see(look, chosen, framings, OTHER_VIEWS[_FIRST_VIEWS:]).mean(axis=1)
        return np.concatenate([moved, more - in_views[0] + look.inputs])

    def _check_peak(self, look: PersonLook, threshold: float) -> PersonLook:
        """Set the share of views in which moments above the threshold stay above it, if there are any.

        Such a person is calm on average and nothing stands out, so a finding would rest on these moments
        alone.
        """
        inputs = look.inputs_at(look.track, look.times, look.scan_at, self.fusion.within)
        at = self.fusion.logit(inputs)
        above = np.flatnonzero(at >= threshold)
        if not len(above):
            return look
        above = above[evenly_spaced(len(above), _IN_VIEWS)]
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
        """Return ``logit`` of the ``chosen`` moments (m,) in the original and every other view: (v, m)."""
        in_views = self.see(look, chosen, framings, (AS_IT_IS, *OTHER_VIEWS))
        return logit(in_views.reshape(-1, len(FUSION_INPUTS))).reshape(in_views.shape[:2])

    def _check_contrast(self, look: PersonLook) -> PersonLook:
        """Average the contrasts of ``look`` over views, and drop those that no longer stand out."""
        assert self.fusion.contrast is not None
        standing_out = raise_at(look.raised, look.track, look.times) > 0
        if standing_out.all() or not standing_out.any():
            return look
        inside, outside = (
            side[evenly_spaced(len(side), _IN_VIEWS)]
            for side in map(np.flatnonzero, (standing_out, ~standing_out))
        )
        framings = self.fusion.altered_framings
        altered = self._in_all_views(look, [*inside, *outside], framings, self.fusion.altered.logit)
        contrast = altered[:, : len(inside)].mean(axis=1) - altered[:, len(inside) :].mean(axis=1)
        moved = contrast - contrast[0]
        least = self.fusion.contrast.least
        highest = max(interval.contrast for interval in look.raised)
        stays = highest + moved.mean() >= least
        return replace(
            look,
            stability=float(np.mean((highest + moved >= least) == stays)),
            raised=tuple(
                interval.moved(float(moved.mean()), self.fusion.contrast)
                for interval in look.raised
                if interval.contrast + moved.mean() >= least
            ),
        )


_UNEVEN = 1.5  # logit contrast of the altered half from which more moments of a track are scored
_CALM = 0.3  # published logit by which a calm person's mean lies below the doubt threshold
_LEAST_HALVED = 8  # minimum number of moments of which every other one is enough for a calm person
_DENSE = 0.6  # minimum seconds between moments; denser ones show nothing new
_HEADS_EVERY, _WINDOWS_EVERY = 2, 4  # moments of a track, of which one shows the whole head, or windows


class PersonLooker:
    """Shows inner faces to the second network, and the whole head in every other moment.

    Windows, four crops a moment, are shown in every fourth moment. For a photograph, or without
    ``alternate_heads``, the whole head and windows are shown in each moment.
    """

    def __init__(self, networks: BothNetworks, alternate_heads: bool = True) -> None:
        """``alternate_heads`` is :attr:`~detector.schema.analysis.Parameters.alternate_heads`."""
        self._networks = networks
        self._fusion = networks.fusion
        every = _WINDOWS_EVERY if networks.second.reads_windows else _HEADS_EVERY
        self._heads_every = every if alternate_heads and not networks.still else 1

    def look(
        self,
        group: Sequence[int],
        faces: NDArray[np.void],
        kept: list[KeptMoment],
        most: int,
        doubt: float | None = None,
    ) -> PersonLook | None:
        """Score ``most`` of the moments ``kept`` of the person of the tracks ``group``, or twice as many.

        ``faces`` are the rows of the person's usable faces, with the scan's logits. Half of the moments are
        enough if they are clearly below the probability ``doubt`` and nothing stands out. Returns None
        without moments.
        """
        moments = spread(kept, faces["time"], most)
        if not moments:
            return None
        logits = np.full((len(moments), SECOND_LOGITS), np.nan)
        if doubt is not None and len(moments) >= _LEAST_HALVED:
            logits[::2] = self._completed(logits[::2], moments[::2], min(self._heads_every, _HEADS_EVERY))
            half = PersonLook.of(group, moments[::2], logits[::2], faces)
            if self._is_calm(half, faces, doubt):
                return half
        logits = self._completed(logits, moments, self._heads_every)
        if self._heads_every > _HEADS_EVERY and self._windows_differ(logits, doubt):
            # Moments that are far apart cannot tell where a manipulated stretch begins and ends.
            logits = self._completed(logits, moments, 1)
        look = PersonLook.of(group, moments, logits, faces)
        if more := self._more_moments(look, faces, kept, most):
            # The altered half stands out at these moments.
            framings = [self._fusion.altered_framings] * len(more)
            logits = np.concatenate([logits, self._networks.second.of_moments(more, AS_IT_IS, framings)])
            order = sorted(range(len(logits)), key=[moment.time for moment in (*moments, *more)].__getitem__)
            look = PersonLook.of(group, [(*moments, *more)[i] for i in order], logits[order], faces)
        raised = look.raised_intervals(self._fusion, faces["track"], faces["time"], faces["logit"])
        return replace(look, raised=raised)

    def _windows_differ(self, logits: Floats, doubt: float | None) -> bool:
        """Return whether what windows say differs clearly between the moments in which they were seen.

        Where it reaches the probability ``doubt`` in none of them, it makes no stretch that a verdict could
        rest on.
        """
        inputs = fusion_inputs(np.zeros(len(logits)), logits)[np.isfinite(logits[:, -1])]
        if doubt is not None and self._fusion.halves(inputs)[1].max() < logit_of(doubt):
            return False
        return bool(np.ptp(self._fusion.synthesised.logit(inputs)) > _UNEVEN)

    def check_stability(self, look: PersonLook, enter: float, sparing: bool = False) -> PersonLook:
        """Run :meth:`StabilityCheck.check`."""
        return StabilityCheck(self._fusion, self._in_views, self._networks.still).check(look, enter, sparing)

    def _completed(self, logits: Floats, moments: Sequence[KeptMoment], heads_every: int) -> Floats:
        """Return ``logits`` (m, 4) with missing inner faces scored, and heads in every so many moments."""
        tracks = [moment.track for moment in moments]
        framings: list[list[int]] = []
        for i, track in enumerate(tracks):
            headed = tracks[:i].count(track) % heads_every == 0
            needed = (INNER, HEAD) if headed else (INNER,)
            framings.append(
                [framing for framing in needed if np.isnan(logits[i, second_logits_of(framing)]).any()]
            )
        scored = self._networks.second.of_moments(moments, AS_IT_IS, framings)
        return np.where(np.isnan(scored), logits, scored)

    def _is_calm(self, look: PersonLook, faces: NDArray[np.void], doubt: float) -> bool:
        """Check that ``look`` is clearly below ``doubt`` in each moment and nothing stands out."""
        samples = look.track, look.times, look.scan_at
        below = logit_of(doubt) - self._fusion.logit(look.inputs_at(*samples, self._fusion.within))
        if below.min() < 0 or below.mean() < _CALM or self._fusion.contradicts(look.inputs)[0]:
            return False
        uneven = self._altered(look, faces)
        return not any(find_outliers(times, altered, _UNEVEN) for _, times, altered in uneven)

    def _more_moments(
        self, look: PersonLook, faces: NDArray[np.void], kept: Sequence[KeptMoment], most: int
    ) -> list[KeptMoment]:
        """Return at most ``most`` further moments of ``kept`` around intervals that stand out."""
        more: list[KeptMoment] = []
        for track, times, altered in self._altered(look, faces):
            own = look.times[look.track == track]
            apart = float(np.ptp(times)) / max(1, len(own))
            if apart < _DENSE:
                continue
            around = [
                (times[outlier.first] - apart, times[outlier.last] + apart)
                for outlier in find_outliers(times, altered, _UNEVEN)
            ]
            # The surroundings of two close intervals may overlap.
            more += [
                moment
                for moment in kept
                if moment.track == track
                and moment.time not in own
                and any(start <= moment.time <= end for start, end in around)
            ]
        return more if len(more) <= most else [more[i] for i in evenly_spaced(len(more), most)]

    def _altered(self, look: PersonLook, faces: NDArray[np.void]) -> Iterator[tuple[int, Floats, Floats]]:
        """Return :meth:`PersonLook.altered` for each of ``faces``."""
        return look.altered(self._fusion, faces["track"], faces["time"], faces["logit"])

    def _in_views(
        self, look: PersonLook, chosen: Sequence[int], framings: Sequence[int], views: Sequence[MomentView]
    ) -> Floats:
        """Return the fusion's inputs (v, m, 5) of ``chosen`` moments of ``look`` in ``views``.

        Other framings keep the logits of the original view. Whole heads of some moments stand for all.
        """
        moments = [look.moments[i] for i in chosen]
        but_heads = [framing for framing in framings if framing != HEAD]
        framings_by_moment = [
            but_heads if rank % self._heads_every else framings for rank in range(len(moments))
        ]
        originals = self._with_heads(
            look, chosen, [HEAD in moment_framings for moment_framings in framings_by_moment]
        )
        scan = self._networks.scan
        size = scan.card.input.size
        result = np.empty((len(views), len(moments), len(FUSION_INPUTS)))
        for view, into in zip(views, result, strict=True):
            into[:, SCAN] = scan.logits([crop_in_view(moment, view, INNER, size) for moment in moments])
            into[:, SECOND_NETWORK] = originals
            if view is not AS_IT_IS:
                into[:, SECOND_NETWORK] += _mended(
                    self._networks.second.of_moments(moments, view, framings_by_moment) - originals
                )
        return result

    def _with_heads(self, look: PersonLook, chosen: Sequence[int], wanted: Sequence[bool]) -> Floats:
        """Return the second network's logits (m, 4) of ``chosen`` moments; whole heads where ``wanted``."""
        lacking = [
            (HEAD,) if is_wanted and not look.headed[i] else ()
            for i, is_wanted in zip(chosen, wanted, strict=True)
        ]
        heads = self._networks.second.of_moments([look.moments[i] for i in chosen], AS_IT_IS, lacking)
        return np.where(np.isnan(heads), look.second_logits[list(chosen)], heads)


def _mended(changes: Floats) -> Floats:
    """Replace NaN in ``changes`` (m, 4) with the mean of the column, or 0 if all are NaN."""
    out = changes.copy()
    for column in out.T:
        missing = np.isnan(column)
        column[missing] = 0.0 if missing.all() else column[~missing].mean()
    return out


_USABLE_PER_MOMENT = 3
_MANY = 5  # number of faces in a photograph above which views are skipped


class PersonMaterial(NamedTuple):
    """The moments and faces of a person: arguments of :meth:`~PersonLooker.look`."""

    group: Sequence[int]
    """The person's tracks."""
    faces: NDArray[np.void]
    """Rows of their usable faces."""
    kept: list[KeptMoment]
    """Of these faces, those whose pixels were kept."""
    most: int
    """How many of them are looked at, before some are left out or added."""


def material_of_persons(
    first_pass: FirstPassResult, keeper: MomentKeeper, parameters: Parameters
) -> Iterator[PersonMaterial]:
    """Return all persons of ``first_pass`` with their moments, also persons without any."""
    usable = first_pass.detections.scored_rows
    for group in first_pass.person_tracks:
        faces = usable[np.isin(usable["track"], group)]
        most = min(parameters.second_look, -(-len(faces) // _USABLE_PER_MOMENT))
        yield PersonMaterial(group, faces, keeper.of(group), most)


def run_second_look(
    model: LoadedModel,
    scan: Scorer,
    first_pass: FirstPassResult,
    keeper: MomentKeeper,
    parameters: Parameters,
    progress: ReportShare,
) -> Scorer:
    """Look at every person of ``first_pass`` in the moments kept; ``progress`` receives the share done.

    Returns the scorer that decides from then on, ``scan`` if there is nothing to look at. The logits of
    ``first_pass`` remain those of the scan until :func:`fill_in_fused`.
    """
    if not len(first_pass.detections.scored_rows):
        return scan
    networks = BothNetworks.of(scan, model)
    looker = PersonLooker(networks, parameters.alternate_heads)
    sparing = scan.still and len(first_pass.person_tracks) > _MANY
    looks = []
    for count, person in enumerate(material_of_persons(first_pass, keeper, parameters)):
        progress(count / len(first_pass.person_tracks))
        look = looker.look(person.group, person.faces, person.kept, person.most, parameters.doubt_threshold)
        if look is not None:
            looks.append(looker.check_stability(look, parameters.enter_threshold, sparing))
    return FusedScorer(networks, looks)


def fill_in_fused(detections: Detections, scorer: Scorer) -> None:
    """Replace the scan's logits with those fused by ``scorer``, and fill in its two answers."""
    usable, rows = detections.scored_rows, detections.rows
    judged = ~np.isnan(rows["logit"])
    fused = scorer.fuse(usable["track"], usable["time"], usable["logit"])
    rows["logit"][judged] = fused.logit
    rows["altered"][judged], rows["synthesised"][judged] = fused.altered, fused.synthesised
