"""What is said of checked heatmaps."""

from __future__ import annotations

import pytest

from detector.schema.analysis import HideAndRescore
from training.second_look.measuring.peak_maps import MapChecks, describe_checks


def check(highlight: float, margin: float = 0.5) -> HideAndRescore:
    return HideAndRescore(
        area=0.15,
        probability=0.9,
        hidden_highlight=0.5,
        hidden_random=0.9,
        drop_highlight=highlight,
        drop_random=0.0,
        margin=margin,
    )


@pytest.mark.parametrize(("margin", "own"), [(0.5, 2), (0.9, 1)])
def test_maps_are_counted_by_kind(margin: float, own: int) -> None:
    checks = [
        MapChecks(check(0.8, margin), check(0.1), None),
        MapChecks(check(2.0), check(0.7), check(0.3)),
        MapChecks(check(0.2), check(0.4), check(0.6)),
    ]
    assert describe_checks(checks) == (
        f"confirmed of 3 maps: {own} of hidden parts, 1 by Grad-CAM; of another face's: 1 of 2"
    )
