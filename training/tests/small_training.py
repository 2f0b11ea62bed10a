"""What holds of the training of every small network beside the models."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from detector.errors import ParameterError
from training import small_networks

Train = Callable[[Path, int], Path]


def losses(network: nn.Module, loss: Callable[[], Tensor], steps: int) -> list[float]:
    """Of so many steps on one batch."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    values = []
    for _ in range(steps):
        value = loss()
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(value.item())
    return values


@contextmanager
def drawn_here() -> Iterator[None]:
    """Examples are drawn in this process, which is spared the start of one that imports torch."""
    with pytest.MonkeyPatch.context() as patched:
        loader = small_networks.DataLoader

        def here(examples: Any, batch: int, **_process: Any) -> Any:
            return loader(pickle.loads(pickle.dumps(examples)), batch)  # as they would get there

        patched.setattr(small_networks, "DataLoader", here)
        yield


def goes_on(train: Train, out: Path, weight: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A second step is trained on from where the first ended; the checkpoints of both."""
    first: dict[str, Any] = torch.load(train(out, 1), weights_only=True)
    again: dict[str, Any] = torch.load(train(out, 2), weights_only=True)
    assert (first["step"], again["step"]) == (1, 2)
    assert not torch.equal(first["network"][weight], again["network"][weight])
    return first, again


def names_the_step_before(
    load: Callable[[Path], object], onnx_of: Callable[[Path], bytes], train: Train, out: Path
) -> None:
    """Of an empty folder each step says which one has to be run first."""
    with pytest.raises(ParameterError, match="step `prepare`"):
        load(out)
    with pytest.raises(ParameterError, match="step `train`"):
        onnx_of(out / "checkpoint.pt")
    with pytest.raises(ParameterError, match="step `prepare`"):
        train(out, 1)
