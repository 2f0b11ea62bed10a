"""Stands in for :class:`detector.sandbox.Sandbox` where confinement is not what is tested.

A process of its own has to import torch again in tests, where other threads keep it from being forked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from detector.progress import Progress


class Unconfined:
    """``target(*arguments, report)`` in this process, with the same interface."""

    def __init__(self, target: Callable[..., Any], *arguments: Any, **_confinement: Any) -> None:
        self._target, self._arguments = target, arguments

    def result(self, report: Progress | None = None) -> Any:
        """What the target returns; what it raises is raised."""
        return self._target(*self._arguments, report or (lambda *_: None))

    def __enter__(self) -> Unconfined:
        return self

    def __exit__(self, *_: object) -> None:
        pass
