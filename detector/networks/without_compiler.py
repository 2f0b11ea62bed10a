"""timm and torchvision without torch's compiler, which no network here uses.

timm marks a function as not to be compiled, and torchvision asks whether an operator can be. Either imports
``torch._dynamo``, which takes as long as torch itself. Imported by :mod:`detector.networks.base`, before any
architecture.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from detector.process.without_modules import without_modules


def _as_it_is(fn: Any = None, recursive: Any = True, *, reason: Any = None) -> Any:
    """In place of :func:`torch.compiler.disable`, whose names these are."""
    return fn or (lambda decorated: decorated)


@contextmanager
def _nothing_marked() -> Iterator[None]:
    disable = torch.compiler.disable
    torch.compiler.disable = _as_it_is
    try:
        yield
    finally:
        torch.compiler.disable = disable


with without_modules("torch._dynamo", "torch._dynamo.utils"), _nothing_marked():
    import timm  # noqa: F401
    import torchvision  # noqa: F401
