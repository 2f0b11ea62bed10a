"""Files damaged for tests, and what verification says of them."""

from __future__ import annotations

from pathlib import Path

from verification.checks import FileProblem
from verification.verify import verify


def problems(path: Path) -> list[FileProblem]:
    return verify(path).results.problems


def named(path: Path) -> set[str]:
    return {problem.file for problem in problems(path)}


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :]
