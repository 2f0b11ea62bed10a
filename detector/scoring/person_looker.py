"""Look at one person: which moments the second network sees, and what stands out.

Of a person who is clearly calm every other moment is enough. A track that is not calm is looked at in more
moments; what stands out from the rest of it is raised (:mod:`detector.scoring.contrast`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from detector.faces.framing import HEAD, INNER
from detector.scoring.contrast import outliers
from detector.scoring.fusion import Floats, Fusion
from detector.scoring.moments import KeptMoment, evenly, spread
from detector.scoring.person_look import PersonLook
from detector.scoring.scorer import logit_of
from detector.scoring.second_network import SecondNetwork
from detector.scoring.views import AS_IT_IS

_UNEVEN = 1.5  # of the altered half's logit: a track with such a contrast is looked at in more moments
_CALM = 0.3  # of the published logit, from the threshold of doubt down to a calm person's moments on average
_HALVED = 8  # moments of a person, of which every other one is enough where they are calm
_DENSE = 0.6  # seconds from one moment to the next: more would show nothing new


class PersonLooker:
    """Shows ``network`` inner faces, and the whole head in every other moment or, without
    ``alternate_heads``, in each."""

    def __init__(self, network: SecondNetwork, fusion: Fusion, alternate_heads: bool) -> None:
        self._network = network
        self._fusion = fusion
        self._alternate_heads = alternate_heads

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
            parts = [self._fusion.altered_framings] * len(more)
            strong = np.concatenate([strong, self._network.of_moments(more, AS_IT_IS, parts)])
            order = sorted(range(len(strong)), key=[moment.time for moment in (*moments, *more)].__getitem__)
            look = PersonLook.of(group, [(*moments, *more)[i] for i in order], strong[order], seen)
        outlying = look.outlying(self._fusion, seen["track"], seen["time"], seen["logit"])
        return replace(look, raised=outlying)

    def _look_at(self, moments: Sequence[KeptMoment], strong: Floats) -> None:
        """Put into ``strong`` (m, 4) what is not there yet: inner faces, and heads of every other moment."""
        tracks = [moment.track for moment in moments]
        parts: list[list[int]] = []
        for i, track in enumerate(tracks):
            headed = not self._alternate_heads or tracks[:i].count(track) % 2 == 0
            wanted = (INNER, HEAD) if headed else (INNER,)
            parts.append([part for part in wanted if np.isnan(strong[i, 2 * part])])
        seen = self._network.of_moments(moments, AS_IT_IS, parts)
        np.copyto(strong, seen, where=~np.isnan(seen))

    def _is_calm(self, look: PersonLook, seen: NDArray[np.void], doubt: float) -> bool:
        """Whether ``look`` is clearly below ``doubt``, in each moment, and nothing of it stands out."""
        told = look.track, look.times, look.scan_at
        below = logit_of(doubt) - self._fusion.logit(look.inputs_at(*told, self._fusion.within))
        if below.min() < 0 or below.mean() < _CALM or self._fusion.contradicts(look.inputs)[0]:
            return False
        uneven = look.altered(self._fusion, seen["track"], seen["time"], seen["logit"])
        return not any(outliers(times, altered, _UNEVEN) for _, times, altered in uneven)

    def _more_moments(
        self, look: PersonLook, seen: NDArray[np.void], kept: Sequence[KeptMoment], most: int
    ) -> list[KeptMoment]:
        """At most ``most`` of the moments ``kept`` around what stands out, where ``look`` has few."""
        more: list[KeptMoment] = []
        for track, times, altered in look.altered(self._fusion, seen["track"], seen["time"], seen["logit"]):
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
