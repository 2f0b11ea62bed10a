"""By which version an analysis was made, for sentences about rules that were added or changed since."""

from __future__ import annotations

from detector.schema.analysis import Analysis


def made_since(analysis: Analysis, version: str) -> bool:
    """Whether its schema version is ``version``, such as ``1.15``, or a later one."""
    return _parts(analysis.schema_version) >= _parts(version)


def _parts(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
