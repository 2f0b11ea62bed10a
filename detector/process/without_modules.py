"""Import a package without modules that it asks for and that nothing here uses."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


class _StandIn(ModuleType):
    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


@contextmanager
def without_modules(*names: str) -> Iterator[None]:
    """Where ``names`` are not imported yet, empty modules take their places for a while."""
    put = [name for name in names if name not in sys.modules]
    sys.modules.update((name, _StandIn(name)) for name in put)
    try:
        yield
    finally:
        for name in put:
            del sys.modules[name]
