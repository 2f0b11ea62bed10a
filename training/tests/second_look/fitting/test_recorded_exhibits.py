"""What is recorded of a clip for fits: the moments that an analysis looks at, and those it need not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import write_clip
from engine_clips import room
from second_looks import Says, with_second_look

from detector import Parameters, analyze
from detector.models.loaded import LoadedModel
from training.second_look.fitting.exhibits import persons_of


@pytest.fixture(scope="module")
def longer(tmp_path_factory: pytest.TempPathFactory, portrait: np.ndarray) -> Path:
    """Three seconds, of which eight moments are looked at."""
    path = tmp_path_factory.mktemp("longer") / "longer.mp4"
    return write_clip(path, [room(portrait, side=200, x=40 + i // 2) for i in range(75)])


@pytest.mark.parametrize(("says", "share"), [((9.0, -9.0, 9.0, -9.0), 1), ((-9.0,) * 4, 2)])
def test_a_recorded_person_is_seen_in_all_moments_even_where_calm(
    longer: Path, model: LoadedModel, says: tuple[float, ...], share: int
) -> None:
    full_model = with_second_look(model, Says(says).eval())
    (person,) = analyze(longer, model=full_model, parameters=Parameters(edge_window=0)).persons
    (record,) = persons_of(longer, full_model)
    assert person.second_look is not None and record.look is not None
    assert len(record.look.times) == 8 and record.look.moments == ()
    assert record.look.times[::share].tolist() == [moment.time for moment in person.second_look.moments]
    assert record.time.tolist() == [score.time for score in person.scores if score.usable]
