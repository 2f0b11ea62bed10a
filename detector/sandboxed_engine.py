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

from detector.backends.selection import BACKEND_VARIABLE
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
    """Analyse ``path`` in a confined process, which writes the result to ``folder``, an empty one.

    ``name`` is the original file name of the exhibit if it is not that of ``path``; ``backend`` overrides the
    environment. ``write`` is called in the process with the analysis and the folder, after pictures were
    stored there; it must write ``analysis.json``. ``get_ready`` is called there in a thread during the
    analysis, to import what ``write`` needs, which takes as long as analysing a short clip. Raises the errors
    of :func:`detector.analyze` and :mod:`detector.sandbox`.
    """
    path, folder = path.absolute(), folder.absolute()
    models = [with_absolute_path(name_or_path) for name_or_path in (model, *also)]
    model_folders = (Path(given).parent for given in models if given and Path(given).is_absolute())
    places = AllowedPaths(readable=(path, *model_folders), writable=(folder,))
    task = (_analyze_inside, path, folder, name, parameters, models, joint, backend, write, get_ready)
    modules = ("detector.engine",)
    with Sandbox(*task, limits=limits_of_environment(), places=places, modules=modules) as confined:
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
    """Do the work of :func:`analyze_confined` in the confined process."""
    from detector.engine import analyze

    if backend:
        os.environ[BACKEND_VARIABLE] = backend  # this process serves no other analysis
    if get_ready:
        threading.Thread(target=get_ready, name="get-ready", daemon=True).start()
    model, *also = models
    analysis = analyze(
        path,
        name=name,
        parameters=parameters,
        model=model,
        images=folder if write else None,
        progress=progress,
        also=[other for other in also if other],
        joint=joint,
    )
    if write:
        write(analysis, folder)
    else:
        (folder / _RESULT).write_text(analysis.to_json(), encoding="utf-8")


def annotate_confined(
    exhibit: Path, analysis: Analysis, out: Path, maps: Mapping[str, Path], progress: Progress | None
) -> dict[str, Any]:
    """Run :func:`detector.annotated_video.annotate` in a confined process; return its result as a dict.

    Raises the errors of that function and of :mod:`detector.sandbox`.
    """
    exhibit, out = exhibit.absolute(), out.absolute()
    if out.exists() and out.samefile(exhibit):
        raise MediaError("The annotated video would take the exhibit's place. Name another file.")
    maps = {name: path.absolute() for name, path in maps.items()}
    target = resolve_target(out)
    with temporary_folder(".annotated-", target.parent if target else None, out) as folder:
        video = Path(folder, "annotated.mp4")
        places = AllowedPaths(readable=(exhibit, *maps.values()), writable=(video.parent,))
        task = (_annotate_inside, exhibit, analysis.to_json(), video, maps)
        modules = ("detector.annotated_video",)
        with Sandbox(*task, limits=limits_of_environment(), places=places, modules=modules) as confined:
            result: dict[str, Any] = confined.result(progress)
        refuse_links(video.parent)
        move_into_place(video, out)
    return result


def _annotate_inside(
    exhibit: Path, analysis: str, out: Path, maps: Mapping[str, Path], progress: Progress
) -> dict[str, Any]:
    """Do the work of :func:`annotate_confined` in the confined process; ``analysis`` is JSON."""
    from detector.annotated_video import annotate

    return asdict(
        annotate(exhibit, Analysis.from_json(analysis), out, maps, lambda share: progress("drawing", share))
    )


def limits_of_environment() -> Limits:
    """Return the limits from environment variables, which the web app uses as well.

    Raises :class:`ParameterError` for an invalid value.
    """
    defaults = Limits()
    return Limits(
        memory=_number("REELPROOF_MEMORY_LIMIT_MB", defaults.memory // MEGABYTE) * MEGABYTE,
        cpu=_number("REELPROOF_CPU_LIMIT", defaults.cpu),
        wall=_number("REELPROOF_TIME_LIMIT", int(defaults.wall)),
        written=_number("REELPROOF_TEMP_LIMIT_MB", defaults.written // MEGABYTE) * MEGABYTE,
    )


def _number(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or not int(text):
        raise ParameterError(f"{name}={text} is no whole number above 0.")
    return int(text)
