"""Rows of new jobs, and the partition of states."""

from __future__ import annotations

from made_results import hand_in

from webapp.jobs.states import ENDED, UNFINISHED
from webapp.storage.tables import State


def test_ids_cannot_be_guessed(app):
    ids = {hand_in(app, b"x").id for _ in range(20)}
    assert len(ids) == 20 and all(len(bytes.fromhex(analysis_id)) == 16 for analysis_id in ids)


def test_every_state_is_either_unfinished_or_ended():
    """A job in a state of neither group could not be cancelled and would trigger no webhook."""
    shown_alone = (State.EXPLAINING,)  # the row is queued or runs
    assert sorted((*UNFINISHED, *ENDED, *shown_alone)) == sorted(State)
