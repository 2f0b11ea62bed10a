"""The second network, which sees moments of faces in two framings, inner face and whole head.

:class:`BothNetworks` is it beside the scan.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np

from detector.backends import selection as backends
from detector.faces.framing import HEAD
from detector.media.frame import Image
from detector.models.loaded import LoadedModel
from detector.networks import readings
from detector.scoring.first_pass.moments import KeptMoment
from detector.scoring.fusion import SECOND_LOGITS, Floats, Fusion, second_logits_of
from detector.scoring.scorer import Scorer, run_in_batches
from detector.scoring.second_look.views import AS_IT_IS, MomentView, crop_in_view

_run = partial(run_in_batches, batch=8)


class SecondNetwork:
    """``model`` in a back end; ``still`` is for the faces of a photograph."""

    def __init__(self, model: LoadedModel, backend: str | None, still: bool) -> None:
        self.model = model
        self._backend = backends.open_backend(model, backend)
        self._still = still
        self._known: dict[bytes, Floats] = {}  # what it gave, by a photograph's crops

    def outputs_of(self, framing: int) -> tuple[int, ...]:
        """Which of the network's outputs are of ``framing``: whole heads of photographs have their own."""
        return readings.outputs_of(readings.PHOTOGRAPH if self._still and framing == HEAD else framing)

    def of_moments(
        self, moments: Sequence[KeptMoment], view: MomentView, framings: Sequence[Sequence[int]]
    ) -> Floats:
        """The logits (m, 4): altered and synthesised of the inner face, then of the whole head.

        ``framings`` are those of each moment that are looked at; logits of others are no numbers, and
        cost nothing.
        """
        size = self.model.card.input.size
        places = [(i, framing) for i, own in enumerate(framings) for framing in own]
        seen = np.full((len(moments), SECOND_LOGITS), np.nan)
        if not places:
            return seen
        crops = [crop_in_view(moments[i], view, framing, size) for i, framing in places]
        out = _run(self._backend, crops)
        if self._still and view is AS_IT_IS:
            self._known.update(zip(map(_key, crops), out[:, None], strict=True))
        for (i, framing), logits in zip(places, out, strict=True):
            seen[i, second_logits_of(framing)] = logits[list(self.outputs_of(framing))]
        return seen

    def of_crops(self, crops: Sequence[Image]) -> Floats:
        """The logits (n, c); what it has seen of a photograph it is not asked again."""
        if len(crops) == 1 and (known := self._known.get(_key(crops[0]))) is not None:
            return known
        return _run(self._backend, crops)


@dataclass(frozen=True)
class BothNetworks:
    """The scan and the second network, and how their logits are fused."""

    scan: Scorer
    second: SecondNetwork
    fusion: Fusion

    @classmethod
    def of(cls, scan: Scorer, model: LoadedModel) -> Self:
        """``scan`` beside the second network of ``model``, which has one."""
        assert model.second_look is not None and model.card.second_look is not None
        second = SecondNetwork(model.second_look, scan.requested_backend, scan.still)
        return cls(scan, second, Fusion.of(model.card.second_look, scan.still, scan.codec))

    @property
    def still(self) -> bool:
        """Whether they judge faces of a photograph."""
        return self.scan.still


def _key(crop: Image) -> bytes:
    return hashlib.sha256(crop.tobytes()).digest()
