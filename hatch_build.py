"""What the wheel depends on: requirements.txt, without what only training's tests and checks need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LAST = "# Tests and checks"  # this section and what follows it stays out


def requirements(text: str) -> list[str]:
    """The packages that running Reelproof needs, as pip reads them."""
    lines = (line.strip() for line in text.partition(_LAST)[0].splitlines())
    return [line for line in lines if line and not line.startswith("#")]


class CustomMetadataHook(MetadataHookInterface):
    """Called by hatchling when the wheel is built."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Put the dependencies into the wheel's metadata."""
        metadata["dependencies"] = requirements(Path(self.root, "requirements.txt").read_text("utf-8"))
