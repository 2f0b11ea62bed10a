"""One score from the fast network and the second look's two framings, and the threshold it is judged by.

    altered     = logit of (fast, inner altered, head altered)
    synthesised = logit of (inner synthesised, head synthesised)
    fused       = log(exp(altered) + exp(synthesised)), a soft maximum

Inputs are means over a clip's frames, standardised (centre: the unmanipulated develop clips); weights ≥ 0
come from a regularised logistic regression, which calibrates at the same time. Each half is fitted on all
unmanipulated clips and the manipulated ones it is about: talking heads for ``synthesised``, all others for
``altered``. Every figure of a decision leaves the clip's own group out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

INPUTS = ("fast", "inner altered", "inner synthesised", "head altered", "head synthesised")
_ALTERED, _SYNTHESISED = (0, 1, 3), (2, 4)  # columns of INPUTS
_LEAST, _MOST = -6.0, 8.0  # standard deviations


@dataclass(frozen=True)
class Half:
    """Constants of one half of the formula: inputs are standardised, weighted, added."""

    names: tuple[str, ...]
    centre: Floats
    spread: Floats
    weight: Floats
    bias: float

    def logit(self, inputs: Floats) -> Floats:
        """Inputs (n, names) to calibrated logits (n,)."""
        standardised = ((inputs - self.centre) / self.spread).clip(_LEAST, _MOST)
        logits: Floats = standardised @ self.weight + self.bias
        return logits


@dataclass(frozen=True)
class Fusion:
    """The two halves of the formula."""

    altered: Half
    synthesised: Half

    def halves(self, inputs: Floats) -> tuple[Floats, Floats]:
        """Inputs (n, 5) to the logits of both halves."""
        return self.altered.logit(inputs[:, _ALTERED]), self.synthesised.logit(inputs[:, _SYNTHESISED])

    def logit(self, inputs: Floats) -> Floats:
        """Inputs (n, 5) to fused logits (n,)."""
        return np.logaddexp(*self.halves(inputs))

    def constants(self) -> dict[str, Any]:
        """The formula as JSON; :meth:`of` reads it."""
        return {
            name: {
                "inputs": half.names,
                "centre": half.centre.tolist(),
                "spread": half.spread.tolist(),
                "weight": half.weight.tolist(),
                "bias": half.bias,
            }
            for name, half in (("altered", self.altered), ("synthesised", self.synthesised))
        }

    @classmethod
    def of(cls, constants: dict[str, Any]) -> Fusion:
        """The formula that :meth:`constants` wrote."""
        altered, synthesised = (
            Half(
                tuple(half["inputs"]),
                np.array(half["centre"]),
                np.array(half["spread"]),
                np.array(half["weight"]),
                float(half["bias"]),
            )
            for half in (constants["altered"], constants["synthesised"])
        )
        return cls(altered, synthesised)


def fit_half(names: tuple[str, ...], inputs: Floats, fake: Flags, ridge: float = 0.05) -> Half:
    """Logistic regression with weights ≥ 0, drawn towards equal ones; both classes count alike."""
    centre, spread = inputs[~fake].mean(axis=0), inputs.std(axis=0) + 1e-6
    z = ((inputs - centre) / spread).clip(_LEAST, _MOST)
    sign = np.where(fake, 1.0, -1.0)
    share = np.where(fake, 0.5 / fake.sum(), 0.5 / (~fake).sum())

    def loss(p: Floats) -> float:
        weight, margin = p[:-1], sign * (z @ p[:-1] + p[-1])
        unequal, large = ((weight - weight.mean()) ** 2).sum(), (weight**2).sum()
        return float((share * np.logaddexp(0, -margin)).sum() + ridge * unequal + 0.2 * ridge * large)

    bounds = [(0, None)] * len(names) + [(None, None)]
    found = minimize(loss, np.full(len(names) + 1, 0.5), bounds=bounds, method="L-BFGS-B")
    return Half(names, centre, spread, found.x[:-1], float(found.x[-1]))


def fit(inputs: Floats, fake: Flags, talking: Flags) -> Fusion:
    """Fit both halves on clips; ``talking`` are those whose whole face is generated."""
    altered, synthesised = (
        fit_half(tuple(INPUTS[i] for i in columns), inputs[kept][:, columns], fake[kept])
        for columns, kept in ((_ALTERED, ~fake | ~talking), (_SYNTHESISED, ~fake | talking))
    )
    return Fusion(altered, synthesised)


def left_out_logits(inputs: Floats, fake: Flags, talking: Flags, groups: Sequence[str]) -> Floats:
    """Fused logits of each clip by a fit that has not seen its group."""
    out, of = np.empty(len(inputs)), np.array(groups)
    for group in sorted(set(groups)):
        mine = of == group
        out[mine] = fit(inputs[~mine], fake[~mine], talking[~mine]).logit(inputs[mine])
    return out


def threshold_for(scores: Floats, fake: Flags, flagged: float = 0.03) -> float:
    """The lowest threshold that flags at most the share ``flagged`` of the unmanipulated ones.

    Halfway to the next score below, so that it does not rest on one clip.
    """
    real = np.sort(scores[~fake])[::-1]
    allowed = int(np.floor(flagged * len(real)))
    above = real[allowed - 1] if allowed else real[0] + 1.0
    return float((max(real[allowed], above - 2.0) + above) / 2)


def left_out_decisions(scores: Floats, fake: Flags, groups: Sequence[str], flagged: float = 0.03) -> Flags:
    """Flagged or not, each by a threshold chosen without the clip's group."""
    of, out = np.array(groups), np.zeros(len(scores), bool)
    for group in sorted(set(groups)):
        mine = of == group
        out[mine] = scores[mine] >= threshold_for(scores[~mine], fake[~mine], flagged)
    return out
