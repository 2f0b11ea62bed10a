"""Rows of jobs, as they begin."""

from __future__ import annotations

from made_results import hand_in


def test_ids_cannot_be_guessed(app):
    ids = {hand_in(app, b"x").id for _ in range(20)}
    assert len(ids) == 20 and all(len(bytes.fromhex(each)) == 16 for each in ids)
