"""Derive the wheel's dependencies and extras from requirements.txt, with ranges instead of pins."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


def dependencies(text: str) -> tuple[list[str], dict[str, list[str]]]:
    """Return the dependencies of the wheel and of each extra, which begins with ``# [NAME]``."""
    base: list[str] = []
    extras: dict[str, list[str]] = {}
    section = base
    for line in map(str.strip, text.splitlines()):
        if heading := re.match(r"# \[(\w+)\]", line):
            section = extras.setdefault(heading[1], [])
        elif line and not line.startswith("#"):
            section.append(version_range(line))
    return base, extras


def version_range(pin: str) -> str:
    """Widen ``name==1.2.3`` to later versions before the next major one or, below 1.0, the next minor one."""
    name, version = pin.split("==")
    major, minor, *_ = (*map(int, re.findall(r"\d+", version)[:2]), 0)
    upper = f"{major + 1}" if major else f"0.{minor + 1}"
    return f"{name}>={version},<{upper}"


class CustomMetadataHook(MetadataHookInterface):
    """The hook that hatchling calls."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add dependencies and extras to the wheel's metadata."""
        text = Path(self.root, "requirements.txt").read_text("utf-8")
        metadata["dependencies"], metadata["optional-dependencies"] = dependencies(text)
