"""The interface of what runs a network."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Backend(Protocol):
    """One network, ready to run."""

    name: str
    """As ``--backend`` takes it."""
    version: str
    """Of the library."""
    device: str
    """``cpu``, or ``cuda`` and the device's name."""
    precision: str
    """Of the arithmetic: ``float32`` or ``bfloat16``, and what else is to be said of it."""
    threads: int
    """On the processor."""

    def get_ready(self) -> None:
        """Do what else the first :meth:`run` would begin with; another thread may call it meanwhile."""

    def run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Crops (n, size, size, 3), RGB, n of at least 1, to logits (n,) or features (n, d)."""


def kind_of_numbers(precision: str | None) -> str:
    """``float32`` or ``bfloat16`` alone of a :attr:`Backend.precision`; empty where none is recorded."""
    return (precision or "").partition(",")[0]
