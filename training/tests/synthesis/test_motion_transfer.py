"""One frame in the place of another: where things lie is the other's, what they look like its own."""

from __future__ import annotations

import numpy as np
import pytest
from made_faces import crop

from training.synthesis.motion import transfer_motion

SIDE = 160


@pytest.mark.parametrize("seed", range(4))
def test_pixels_go_where_the_motion_has_them(seed: int) -> None:
    face = crop(5, False, SIDE + 12)
    still, driving = face[6:-6, :SIDE], face[6:-6, 12:]
    made = transfer_motion(still, driving, np.random.default_rng(seed))
    assert made.shape == driving.shape and made.dtype == np.uint8
    inside = np.s_[20:-20, 20:-20]

    def apart(picture: np.ndarray) -> float:
        return float(np.abs(picture[inside].astype(int) - driving[inside]).mean())

    assert apart(made) < apart(still) / 2


def test_the_texture_is_the_stills() -> None:
    """What is green in the still stays so, whatever the driving frame shows there."""
    driving = crop(5, False, SIDE)
    still = driving.copy()
    still[..., 1] = np.minimum(255, still[..., 1].astype(int) + 60)
    made = transfer_motion(still, driving, np.random.default_rng(0))
    assert made[..., 1].mean() - driving[..., 1].mean() > 30


def test_by_its_seed_alone_and_of_any_size() -> None:
    still, driving = crop(5, False, 200), crop(5, False, SIDE)
    first, again, other = (transfer_motion(still, driving, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.shape == driving.shape
    assert np.array_equal(first, again) and not np.array_equal(first, other)
