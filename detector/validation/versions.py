"""What a validation was computed with: this process, or whatever made the analyses it is worked out from."""

from __future__ import annotations

import platform
from collections.abc import Sequence

from detector import environment
from detector.schema.analysis import Software
from detector.schema.laboratory.validation import Versions
from detector.schema.translatable import N_
from detector.version import __version__


def versions_of(made_with: Sequence[Software], backends: Sequence[str]) -> Versions:
    """Those that made the analyses ``made_with`` them, of this process where there are none.

    ``backends`` are the names of those that ran the network.
    """
    return _of_analyses(made_with, backends) if made_with else _of_this_process(backends)


def _of_this_process(backends: Sequence[str]) -> Versions:
    return Versions(
        reelproof=__version__,
        commit=environment.commit(environment.ROOT),
        source_sha256=environment.source_sha256(),
        python=platform.python_version(),
        system=environment.system(),
        processor=environment.processor(),
        backends=tuple(backends),
        libraries=environment.libraries(),
    )


def _of_analyses(made_with: Sequence[Software], backends: Sequence[str]) -> Versions:
    """The versions that made analyses, by the newest of them.

    Commit and source are left open where they are not those of all: then no single version was validated.
    """
    newest = max(made_with, key=lambda each: each.created)
    commits, sources = ({getattr(each, name) for each in made_with} for name in ("commit", "source_sha256"))
    return Versions(
        reelproof=newest.reelproof,
        commit=newest.commit if len(commits) == 1 else None,
        source_sha256=newest.source_sha256 if len(sources) == 1 else None,
        python=newest.python or "",
        system=newest.system or "",
        processor=newest.processor or "",
        backends=tuple(backends),
        libraries=newest.libraries,
    )


def remarks_on(made_with: Sequence[Software]) -> list[str]:
    """What is to be said where the analyses were not all made by one version of the program."""
    sources = {each.source_sha256 for each in made_with}
    if len(sources) == 1:
        return []
    return [
        N_(
            "The analyses were made by %(versions)s versions of the program; named are the libraries of the "
            "newest."
        )
        % {"versions": len(sources)}
    ]
