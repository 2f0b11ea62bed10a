"""Look at one person: which moments the second network sees, what stands out, and how it looks in views.

Of a person who is clearly calm every other moment is enough. A track that is not calm is looked at in more
moments; what stands out from the rest of it is raised (:mod:`detector.scoring.second_look.contrast`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from detector.faces.framing import HEAD, INNER
from detector.models.card import FUSION_INPUTS
from detector.schema.logistic import logit_of
from detector.scoring.first_pass.moments import KeptMoment, evenly, spread
from detector.scoring.fusion import SCAN, SECOND_LOGITS, SECOND_NETWORK, Floats, second_logits_of
from detector.scoring.second_look.contrast import outliers
from detector.scoring.second_look.person_look import PersonLook
from detector.scoring.second_look.second_network import BothNetworks
from detector.scoring.second_look.stability import StabilityCheck
from detector.scoring.second_look.views import AS_IT_IS, MomentView, crop_in_view

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
        """See :meth:`detector.scoring.second_look.stability.StabilityCheck.check`."""
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
