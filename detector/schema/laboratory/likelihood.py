"""The likelihood ratio that a validation states for a published probability."""

from __future__ import annotations

import math

from detector.schema.laboratory.validation import LikelihoodRatios

EDGE = 1e-6
"""A probability of 0 or 1 is drawn in by so much before its log odds are taken."""


def stated_log10(ratios: LikelihoodRatios, probability: float) -> float:
    """log10 of the ratio by Platt's formula, within what so few files can show."""
    inside = min(max(probability, EDGE), 1 - EDGE)
    natural = ratios.platt.scale * math.log(inside / (1 - inside)) + ratios.platt.offset
    return min(max(natural / math.log(10), ratios.least), ratios.most)
