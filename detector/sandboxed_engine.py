"""Run an analysis, or draw an annotated video, in a confined process, for the command line.

The web application's worker has its own variant, because it keeps a job's row up to date meanwhile.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from detector.backends.selection import BACKEND_VARIABLE as BACKEND_SETTING
from detector.errors import MediaError, ParameterError
from detector.files import move_into_place, resolve_target, temporary_folder
from detector.models.model_files import with_absolute_path
from detector.progress import Progress
from detector.sandbox import AllowedPaths, Limits, Sandbox, refuse_links
from detector.sandbox.kernel import MEGABYTE
from detector.schema.analysis import Analysis, Parameters
from detector.schema.method import JointRule

WriteResult = Callable[[Analysis, Path], None]
_RESULT = "analysis.json"


def analyze_confined(
    path: Path,
    folder: Path,
    *,
    name: str | None = None,
    parameters: Parameters | None = None,
    model: str | None = None,
    write: WriteResult | None = None,
    get_ready: Callable[[], None] | None = None,
    progress: Progress | None = None,
    also: Sequence[str] = (),
    joint: JointRule = JointRule.FIRST,
    backend: str | None = None,
) -> Analysis:
    """Analyse ``path`` in a confined process; the result comes back by way of ``folder``, an empty one.

    ``name`` is the exhibit's own file name where ``path`` is not; ``backend`` is what runs the networks,
    instead of what the environment names.
    With ``write``, pictures are kept there and it is called, in that process, with the analysis and
    the folder; it has to write ``analysis.json``. ``get_ready`` is called there, in a thread of its own while
    the analysis goes on: what is written with takes as long to import as a short clip to be looked at.
    Raises what :func:`detector.analyze` raises, and
    :mod:`detector.sandbox`'s errors for a file that takes too much or breaks what reads it.
    """
    path, folder = path.absolute(), folder.absolute()
    models = [with_absolute_path(one) for one in (model, *also)]
    beside_models = (Path(one).parent for one in models if one and Path(one).is_absolute())
    places = AllowedPaths(readable=(path, *beside_models), writable=(folder,))
    what = (_analyze_inside, path, folder, name, parameters, models, joint, backend, write, get_ready)
    with Sandbox(
        *what,
        limits=limits_of_environment(),
        places=places,
        modules=("detector.engine",),
    ) as confined:
        confined.result(progress)
    refuse_links(folder)
    return Analysis.from_json((folder / _RESULT).read_bytes())


def _analyze_inside(
    path: Path,
    folder: Path,
    name: str | None,
    parameters: Parameters | None,
    models: Sequence[str | None],
    joint: JointRule,
    backend: str | None,
    write: WriteResult | None,
    get_ready: Callable[[], None] | None,
    progress: Progress,
) -> None:
    """What :func:`analyze_confined` has done in the confined process; ``models`` has the first one first."""
    from detector.engine import analyze

    if backend:
        os.environ[BACKEND_SETTING] = backend  # this process is this analysis's own
    if get_ready:
        threading.Thread(target=get_ready, name="get-ready", daemon=True).start()
    images = folder if write else None
    model, *also = models
    others = [one for one in also if one]
    analysis = analyze(
        path,
        name=name,
        parameters=parameters,
        model=model,
        images=images,
        progress=progress,
        also=others,
        joint=joint,
    )
    if write:
        write(analysis, folder)
    else:
        (folder / _RESULT).write_text(analysis.to_json(), encoding="utf-8")


def annotate_confined(
    exhibit: Path, analysis: Analysis, out: Path, maps: Mapping[str, Path], progress: Progress | None
) -> dict[str, Any]:
    """:func:`detector.annotated_video.annotate` in a confined process; returns the fields of what it returns.

    Raises what that raises, and :mod:`detector.sandbox`'s errors.
    """
    exhibit, out = exhibit.absolute(), out.absolute()
    if out.exists() and out.samefile(exhibit):
        raise MediaError("The annotated video would take the exhibit's place. Name another file.")
    maps = {name: path.absolute() for name, path in maps.items()}
    target = resolve_target(out)
    beside = None if target is None else target.parent
    with temporary_folder(".annotated-", beside, out) as folder:
        made = Path(folder, "annotated.mp4")
        places = AllowedPaths(readable=(exhibit, *maps.values()), writable=(made.parent,))
        what = (_annotate_inside, exhibit, analysis.to_json(), made, maps)
        modules = ("detector.annotated_video",)
        with Sandbox(*what, limits=limits_of_environment(), places=places, modules=modules) as confined:
            told: dict[str, Any] = confined.result(progress)
        refuse_links(made.parent)
        move_into_place(made, out)
    return told


def _annotate_inside(
    exhibit: Path, analysis: str, out: Path, maps: Mapping[str, Path], progress: Progress
) -> dict[str, Any]:
    """What :func:`annotate_confined` has done there; ``analysis`` is its JSON."""
    from detector.annotated_video import annotate

    made = annotate(
        exhibit, Analysis.from_json(analysis), out, maps, lambda share: progress("drawing", share)
    )
    return asdict(made)


def limits_of_environment() -> Limits:
    """The limits by the same names as the web app's settings. Raises :class:`ParameterError`."""
    usual = Limits()
    return Limits(
        memory=_number("REELPROOF_MEMORY_LIMIT_MB", usual.memory // MEGABYTE) * MEGABYTE,
        cpu=_number("REELPROOF_CPU_LIMIT", usual.cpu),
        wall=_number("REELPROOF_TIME_LIMIT", int(usual.wall)),
        written=_number("REELPROOF_TEMP_LIMIT_MB", usual.written // MEGABYTE) * MEGABYTE,
    )


def _number(name: str, usual: int) -> int:
    text = os.environ.get(name) or str(usual)
    if not text.isdecimal() or not int(text):
        raise ParameterError(f"{name}={text} is no whole number above 0.")
    return int(text)
