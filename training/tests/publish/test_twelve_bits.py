"""Matrices in twelve bits: little is lost, a second time nothing, and parts that do not fit are refused."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save

from detector.models.model_files import EXPONENT, HIGH, LOW, read_arrays, read_tensors
from training.publish import as_stored, to_half_precision, to_twelve_bits


def _state() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    rows = torch.randn(9, 40, generator=generator) * torch.logspace(-6, 3, 9)[:, None]
    rows[4] = 0.0
    return {"blocks.0.weight": rows, "blocks.0.bias": rows[0].clone(), "norm.weight": rows[:2].clone()}


def test_only_matrices_of_the_prefix_are_stored_so() -> None:
    stored = to_twelve_bits(_state(), "blocks.")
    parts = {f"blocks.0.weight{ending}" for ending in (HIGH, LOW, EXPONENT)}
    assert stored.keys() == parts | {"blocks.0.bias", "norm.weight"}
    assert stored["blocks.0.weight" + LOW].shape == (9, 20)


def test_numbers_are_off_by_half_a_step_of_their_row_at_most() -> None:
    before = _state()["blocks.0.weight"].double()
    after = as_stored(_state(), "blocks.")["blocks.0.weight"].double()
    most = (before.abs().amax(dim=1) / 2047).clamp(min=2.0**-25)  # a step is at most twice this
    assert ((before - after).abs().amax(dim=1) <= most).all()


def test_a_second_time_nothing_is_lost() -> None:
    once = as_stored(_state(), "blocks.")
    twice = as_stored(once, "blocks.")
    assert all(torch.equal(once[name], twice[name]) for name in once)


def test_parts_that_do_not_fit_are_refused() -> None:
    stored = to_half_precision(to_twelve_bits(_state(), "blocks."))
    stored["blocks.0.weight" + LOW] = stored["blocks.0.weight" + LOW][:, :-1].contiguous()
    with pytest.raises(ValueError, match="twelve bits"):
        read_tensors(save(stored))


def test_a_part_alone_stays_what_it_is() -> None:
    alone = {"gate" + HIGH: torch.ones(2, 2, dtype=torch.int8)}
    assert list(read_arrays(save(alone))) == ["gate.high"]
