"""The command line of benchmarks."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter


def parser(about: str | None) -> ArgumentParser:
    """One whose ``--help`` is what a module says of itself: ``__doc__``, ``about``."""
    return ArgumentParser(description=about, formatter_class=RawDescriptionHelpFormatter)
