"""The annex for the reader: whose error rates it shows."""

from __future__ import annotations

from detector.models.loaded import load_model
from detector.schema.model import LEARNT, Model, Rate
from reports.view.reader import of_model


def test_photographs_are_told_of_photographs_and_videos_of_videos() -> None:
    shipped: Model = load_model().card.fused.as_model()
    videos, photos = (of_model(shipped, still) for still in (False, True))
    assert all(" clips" in error.words for error in videos.errors)
    assert all(" photographs" in error.words for error in photos.errors)
    assert [error.filled for error in videos.errors] != [error.filled for error in photos.errors]


def test_what_was_not_measured_of_photographs_is_that_of_videos() -> None:
    measured = Rate(
        figure="false positive rate", data="clips", value=0.02, interval="none", items=64, unit="clips"
    )
    model = load_model().card.fused.as_model().model_copy(update={"rates": (measured,)})
    for still in (False, True):
        false_alarms, misses = of_model(model, still).errors
        assert false_alarms.filled == 2 and "not measured" in misses.words


def test_what_the_model_learnt_from_tells_no_error_rates() -> None:
    learnt = Rate(
        figure="false positive rate",
        data="crops",
        value=0.15,
        interval="none",
        items=60,
        unit="crops",
        note=LEARNT,
    )
    model = load_model().card.as_model().model_copy(update={"rates": (learnt,)})
    for still in (False, True):
        assert all("not measured" in error.words for error in of_model(model, still).errors)
