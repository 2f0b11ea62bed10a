"""The loop that trains every network: AdamW with a schedule, clipped gradients, averages, checkpoints.

A recipe gives the loop its losses one by one (a generator). Between two of them the loop takes one step, so
each loss is computed with the weights of the step before. A checkpoint holds the state of all random numbers
that a recipe draws one after the other, so a resumed run has the losses of an uninterrupted one.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from detector.files import atomic_path
from detector.progress import ReportText

SAVED_EVERY = 180.0  # seconds
_REPORTED_EVERY = 20  # steps

Rate = Callable[[int, float], float]
"""Maps a step, from 0, and the highest rate of a group of parameters to its rate."""


Pairs = Iterable[tuple[Tensor, Tensor]]


class Stateful(Protocol):
    """Whatever a checkpoint keeps: networks, averages."""

    def state_dict(self) -> Any: ...

    def load_state_dict(self, state_dict: Any, /) -> Any: ...


def cosine(steps: int, warm_up: int = 1, least: float = 0.0) -> Rate:
    """Return a schedule: a linear rise over ``warm_up`` steps, and a half cosine down to ``least``."""

    def rate(step: int, highest: float) -> float:
        fall = 0.5 * (1 + np.cos(np.pi * step / steps))
        return float(highest * (min(1.0, (step + 1) / warm_up) * (least + (1 - least) * fall)))

    return rate


class Average:
    """Exponential moving averages of tensors, given as pairs of average and tensor.

    ``copied`` pairs are not averaged. ``most`` is the decay. At first the averages follow faster.
    """

    def __init__(self, averaged: Pairs, copied: Pairs, most: float) -> None:
        averaged, copied = list(averaged), list(copied)
        # Looked up once, since that takes longer than moving them.
        self._means, self._now = [mean for mean, _ in averaged], [now for _, now in averaged]
        self._copies, self._copied = [copy for copy, _ in copied], [now for _, now in copied]
        self._most = most

    @torch.no_grad()
    def add(self, count: float) -> None:
        """Move the averages towards the tensors after ``count`` steps."""
        torch._foreach_lerp_(self._means, self._now, 1 - min(self._most, (1 + count) / (10 + count)))
        if self._copies:
            torch._foreach_copy_(self._copies, self._copied)

    def state_dict(self) -> list[Tensor]:
        return [*self._means, *self._copies]

    @torch.no_grad()
    def load_state_dict(self, state_dict: Sequence[Tensor], /) -> None:
        for own, stored in zip(self.state_dict(), state_dict, strict=True):
            own.copy_(stored)


class Loop:
    """AdamW at one step of a run.

    ``groups`` are parameters (``params``) with their highest rate (``peak``) and whatever else AdamW takes
    for a group; ``rate`` is the schedule. The norm of the gradient of the ``clipped`` parameters, in this
    order, is limited to ``clip_norm``; without ``clipped`` it is that of all groups. ``random`` is the
    generator from which a recipe draws step after step.
    """

    def __init__(
        self,
        groups: Sequence[Mapping[str, Any]],
        rate: Rate,
        *,
        weight_decay: float = 0.01,
        betas: tuple[float, float] = (0.9, 0.999),
        clip_norm: float | None = None,
        clipped: Iterable[nn.Parameter] | None = None,
        fused: bool | None = None,
        random: np.random.Generator | None = None,
    ) -> None:
        self.step = 0
        self.parameters = [parameter for group in groups for parameter in group["params"]]
        self._peaks = [float(group["peak"]) for group in groups]
        self._optimizer = torch.optim.AdamW(
            [{name: value for name, value in group.items() if name != "peak"} for group in groups],
            max(self._peaks), betas=betas, weight_decay=weight_decay, fused=fused,
        )  # fmt: skip
        self._rate, self._clip_norm, self._random = rate, clip_norm, random
        self.after: Callable[[], object] = lambda: None  # called after each step
        self._clipped = self.parameters if clipped is None else list(clipped)
        self._recent: deque[Tensor] = deque(maxlen=_REPORTED_EVERY)

    def learn(self, loss: Tensor) -> None:
        """Take one step down the gradient of ``loss``, without waiting for the device."""
        for group, peak in zip(self._optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = self._rate(self.step, peak)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self._clip_norm is not None:
            nn.utils.clip_grad_norm_(self._clipped, self._clip_norm)
        self._optimizer.step()
        self.step += 1
        self._recent.append(loss.detach())
        self.after()

    @property
    def last(self) -> Tensor:
        """The loss of the last step, on the device."""
        return self._recent[-1]

    @property
    def loss(self) -> float:
        """The mean of the last losses."""
        return float(torch.stack(list(self._recent)).float().mean()) if self._recent else 0.0

    def run(self, losses: Iterable[Tensor], save: Callable[[], None]) -> None:
        """Learn from ``losses`` to their end; ``save`` every few minutes."""
        saved = time.monotonic()
        for loss in losses:
            self.learn(loss)
            if time.monotonic() - saved > SAVED_EVERY:
                save()
                saved = time.monotonic()

    def state(self) -> dict[str, Any]:
        """Return what :meth:`resume` needs beside the weights."""
        random = "" if self._random is None else json.dumps(self._random.bit_generator.state)
        states = {"torch": torch.get_rng_state(), "numpy": random}
        return {"optimizer": self._optimizer.state_dict(), "step": self.step, "random": states}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Continue after the step of ``state``."""
        self._optimizer.load_state_dict(state["optimizer"])
        if "random" not in state:  # of release 0.2
            return
        self.step = state["step"]
        torch.set_rng_state(state["random"]["torch"].cpu())
        if self._random is not None:
            self._random.bit_generator.state = json.loads(state["random"]["numpy"])


def train(
    loop: Loop,
    losses: Callable[[], Iterable[Tensor]],
    kept: Mapping[str, Stateful],
    checkpoint: Path,
    steps: int,
    report: ReportText,
    made_from: object = "",
) -> None:
    """Run ``loop`` to the end of ``losses``, which begin after its step; leave a checkpoint of ``kept``.

    A checkpoint that began with the same weights and the same ``made_from`` is continued; another one is
    replaced. ``steps`` and the file's name are for progress alone.
    """
    name, digest = checkpoint.name.partition(".")[0], hashlib.sha256(str(made_from).encode())
    for parameter in loop.parameters:
        digest.update(parameter.detach().cpu().numpy().tobytes())

    def save() -> None:
        state = {part: value.state_dict() for part, value in kept.items()}
        with atomic_path(checkpoint) as temporary:
            torch.save({**state, **loop.state(), "made_from": digest.hexdigest()}, temporary)

    def reported() -> Iterable[Tensor]:
        for loss in losses():
            yield loss
            if loop.step == 1 or loop.step % _REPORTED_EVERY == 0 or loop.step == steps:
                report(f"{name}: step {loop.step} of {steps}, loss {loop.loss:.4f}")

    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    if checkpoint.is_file():
        stored = torch.load(checkpoint, map_location="cpu", weights_only=True)
        if stored.get("made_from") == digest.hexdigest():
            for part, value in kept.items():
                value.load_state_dict(stored[part])
            loop.resume(stored)
            report(f"{name}: resuming after step {loop.step}")
        else:
            report(f"{name}: {checkpoint} began with other weights or settings; starting over")
    loop.run(reported(), save)
    save()
