"""The loop of every recipe: its steps are those of a plain AdamW loop; an interrupted run loses nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from training import loop as loops
from training.loop import Average, Loop, cosine, train

STEPS = 12


def network() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.3), nn.Linear(8, 1))


def batch(rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(rng.normal(size=(6, 4)).astype(np.float32))


class Recipe:
    """A network with an average, whose examples and dropout are drawn one after the other."""

    def __init__(self) -> None:
        self.network = network()
        self.rng = np.random.default_rng(5)
        groups = [{"params": list(self.network.parameters()), "peak": 1e-2}]
        self.loop = Loop(groups, cosine(STEPS, 3, 0.1), clip_norm=0.5, random=self.rng)
        self.means = [parameter.detach().clone() for parameter in self.network.parameters()]
        self.average = Average(zip(self.means, self.network.parameters(), strict=True), (), 0.9)
        self.loop.after = lambda: self.average.add(self.loop.step)
        self.values: list[float] = []
        self.lines: list[str] = []
        self.report = self.lines.append

    def train(self, checkpoint: Path, stop: int = STEPS, made_from: str = "") -> None:
        def losses() -> Iterator[Tensor]:
            while self.loop.step < stop:
                loss = (self.network(batch(self.rng)) ** 2).mean()
                self.values.append(float(loss.detach()))
                yield loss

        kept = {"network": self.network, "average": self.average}
        train(self.loop, losses, kept, checkpoint, STEPS, self.report, made_from)


def test_steps_are_those_of_a_plain_loop(tmp_path: Path) -> None:
    made = Recipe()
    made.train(tmp_path / "tiny.pt")
    plain, rng, values = network(), np.random.default_rng(5), []
    optimizer = torch.optim.AdamW(plain.parameters(), 1e-2)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            share = min(1.0, (step + 1) / 3) * (0.1 + 0.9 * 0.5 * (1 + np.cos(np.pi * step / STEPS)))
            group["lr"] = 1e-2 * share
        loss = (plain(batch(rng)) ** 2).mean()
        values.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
        optimizer.step()
    assert made.values == values
    assert all(torch.equal(*pair) for pair in zip(made.network.parameters(), plain.parameters(), strict=True))


def test_an_interrupted_run_has_the_losses_of_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = Recipe()
    whole.train(tmp_path / "whole.pt")
    first = Recipe()
    first.train(tmp_path / "halves.pt", stop=5)
    second = Recipe()
    torch.manual_seed(99)  # whatever was drawn in between
    second.train(tmp_path / "halves.pt")
    assert "resuming after step 5" in second.lines[0]
    assert first.values + second.values == whole.values
    assert all(torch.equal(*pair) for pair in zip(second.means, whole.means, strict=True))


def test_a_checkpoint_of_other_settings_is_not_continued(tmp_path: Path) -> None:
    whole, other = Recipe(), Recipe()
    whole.train(tmp_path / "tiny.pt", stop=5)
    other.train(tmp_path / "tiny.pt", stop=5, made_from="other settings")
    assert "starting over" in other.lines[0] and len(other.values) == 5


def test_what_a_kill_leaves_is_at_most_minutes_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter(range(0, 100_000, 100))  # between any two looks at the clock
    monkeypatch.setattr(loops.time, "monotonic", lambda: next(seconds))
    killed = Recipe()

    def progress(line: str) -> None:
        if line.startswith(f"tiny: step {STEPS} "):
            raise KeyboardInterrupt

    killed.report = progress
    with pytest.raises(KeyboardInterrupt):
        killed.train(tmp_path / "tiny.pt")
    assert STEPS - 3 <= torch.load(tmp_path / "tiny.pt")["step"] < STEPS + 1
