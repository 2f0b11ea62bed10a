"""Whether what was found of a person holds in other views: the mean over them, and its *stability*.

Views are asked where the fused score is not clearly on one side of the threshold, something stands out, or
a few moments of a calm person reach the threshold: mirrored, shifted, scaled and re-encoded. The first two
are enough where they leave no doubt, of a photograph only where they show no manipulation. Their mean counts.
The stability is the share of views on that side of the threshold where most of them lie; of a photograph,
which is a single moment, where their mean lies. It is one half where the two networks lie further apart on
the same question than on anyone they were measured on, as with pictures made to mislead the first
(adversarial examples).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from detector.faces.framing import HEAD, INNER
from detector.models.card import FUSION_INPUTS
from detector.schema.logistic import logit_of
from detector.schema.measurements.second_look import NEAR_THRESHOLD
from detector.scoring.first_pass.moments import evenly
from detector.scoring.fusion import SECOND_NETWORK, Floats, Fusion
from detector.scoring.second_look.contrast import raised_by
from detector.scoring.second_look.person_look import PersonLook
from detector.scoring.second_look.views import AS_IT_IS, OTHER_VIEWS, MomentView

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
