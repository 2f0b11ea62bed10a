"""Run an analysis, or draw an annotated video, in a confined process."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.backends.selection import BACKEND_VARIABLE
from detector.errors import MediaError, ParameterError
from detector.files import move_into_place, resolve_target, temporary_folder
from detector.models.model_files import with_absolute_path
from detector.progress import Progress
from detector.sandbox import AllowedPaths, Limits, Sandbox, refuse_links
from detector.sandbox.kernel import MEGABYTE
from detector.schema.analysis import Analysis, Parameters
from detector.schema.formatting import N_
from detector.schema.joint import JointRule

if TYPE_CHECKING:
    from detector.models.loaded import LoadedModel

WriteResult = Callable[[Analysis, Path], None]
_RESULT = "analysis.json"


@dataclass(frozen=True)
class EngineJob:
    """One analysis for a confined process.

    ``file`` is the original file name of the exhibit at ``path``. ``model`` and ``others``, which are
    combined by ``joint``, are names of models or absolute paths of their cards. ``backend`` overrides the
    environment, and ``fingerprint`` is the name of a file to be written. ``write`` is called in the process
    with the analysis and its folder, after pictures were stored there; it must write ``analysis.json``.
    ``get_ready`` is called there in a thread during the analysis, to import what ``write`` needs, which takes
    as long as a short clip. Without ``explain`` neither heatmaps nor film strips are made.

    ``finding`` is the name of a folder in that of the result, which appears there complete as soon as the
    finding stands, if it is explained afterwards. ``published`` is the ``analysis.json`` of a finding that an
    earlier run published: the result then states that finding, with the explanation of this run.
    """

    path: Path
    file: str | None = None
    model: str | Path | None = None
    parameters: Parameters | None = None
    others: tuple[str | Path, ...] = ()
    joint: JointRule = JointRule.FIRST
    backend: str | None = None
    fingerprint: str | None = None
    write: WriteResult | None = None
    get_ready: Callable[[], None] | None = None
    explain: bool = True
    finding: str | None = None
    published: str | None = None


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
    explain: bool = True,
) -> Analysis:
    """Analyse ``path`` in a confined process, which writes the result to ``folder``, an empty one.

    See :class:`EngineJob` for the other arguments. Raises the errors of :func:`detector.analyze` and
    :mod:`detector.sandbox`.
    """
    others = tuple(str(with_absolute_path(other)) for other in also)
    job = EngineJob(
        path=path.absolute(),
        file=name,
        model=with_absolute_path(model),
        parameters=parameters,
        others=others,
        joint=joint,
        backend=backend,
        write=write,
        get_ready=get_ready,
        explain=explain,
    )
    return run_job(job, folder.absolute(), progress, limits_of_environment())


def run_job(
    job: EngineJob, folder: Path, progress: Progress | None, limits: Limits, scratch: Path | None = None
) -> Analysis:
    """Run a job in a confined process, which writes to ``folder``, an empty one; both paths are absolute."""
    cards = [Path(model) for model in (job.model, *job.others) if model and Path(model).is_absolute()]
    places = AllowedPaths(readable=(job.path, *(card.parent for card in cards)), writable=(folder,))
    task = (run_engine, job.model, job.path, folder, job)
    modules = ("detector.engine",)
    with Sandbox(*task, limits=limits, places=places, scratch=scratch, modules=modules) as confined:
        confined.result(progress)
    return read_result(folder)


def read_result(folder: Path) -> Analysis:
    """Read the result that a confined process wrote to ``folder``."""
    refuse_links(folder)
    return Analysis.from_json((folder / _RESULT).read_bytes())


def run_engine(
    model: str | Path | LoadedModel | None, path: Path, folder: Path, job: EngineJob, progress: Progress
) -> None:
    """Do a job in a confined process: write everything that the result consists of to ``folder``.

    ``model`` is the job's, loaded if the process was ready; ``path`` is where the process reads the exhibit.
    """
    from detector.engine import analyze
    from detector.explanation import copy_pictures
    from detector.schema.explained import explained_as

    if job.backend:
        os.environ[BACKEND_VARIABLE] = job.backend  # this process serves no other analysis

    def publish(analysis: Analysis) -> None:
        assert job.write is not None and job.finding is not None
        aside = folder / f".{job.finding}"
        aside.mkdir(mode=0o700)
        copy_pictures(analysis, folder, aside)
        job.write(analysis, aside)
        aside.rename(folder / job.finding)

    if job.get_ready:
        threading.Thread(target=job.get_ready, name="get-ready", daemon=True).start()
    analysis = analyze(
        path,
        name=job.file,
        parameters=job.parameters,
        model=model,
        images=folder if job.write else None,
        fingerprint=folder / job.fingerprint if job.fingerprint else None,
        progress=progress,
        also=job.others,
        joint=job.joint,
        explain=job.explain,
        publish=publish if job.finding and not job.published else None,
    )
    if job.published:
        analysis = explained_as(Analysis.from_json(job.published), analysis)
    if job.finding:
        discarded = folder / f".{job.finding}"
        with contextlib.suppress(FileNotFoundError):  # it was taken
            (folder / job.finding).rename(discarded)
            shutil.rmtree(discarded)
    if job.write:
        job.write(analysis, folder)
    else:
        (folder / _RESULT).write_text(analysis.to_json(), encoding="utf-8")


def annotate_confined(
    exhibit: Path,
    analysis: Analysis,
    out: Path,
    maps: Mapping[str, Path],
    moving: Mapping[str, Path],
    progress: Progress | None,
    limits: Limits | None = None,
) -> dict[str, Any]:
    """Run :func:`detector.annotated_video.annotate` in a confined process; return its result as a dict.

    Raises the errors of that function and of :mod:`detector.sandbox`.
    """
    exhibit, out = exhibit.absolute(), out.absolute()
    if out.exists() and out.samefile(exhibit):
        raise MediaError("The annotated video would take the exhibit's place. Name another file.")
    maps, moving = ({name: path.absolute() for name, path in paths.items()} for paths in (maps, moving))
    target = resolve_target(out)
    with temporary_folder(".annotated-", target.parent if target else None, out) as folder:
        video = Path(folder, "annotated.mp4")
        places = AllowedPaths(readable=(exhibit, *maps.values(), *moving.values()), writable=(video.parent,))
        task = (_annotate_inside, exhibit, analysis.to_json(), video, maps, moving)
        modules = ("detector.annotated_video",)
        limits = limits or limits_of_environment()
        with Sandbox(*task, limits=limits, places=places, modules=modules) as confined:
            result: dict[str, Any] = confined.result(progress)
        refuse_links(video.parent)
        move_into_place(video, out)
    return result


def _annotate_inside(
    exhibit: Path,
    analysis: str,
    out: Path,
    maps: Mapping[str, Path],
    moving: Mapping[str, Path],
    progress: Progress,
) -> dict[str, Any]:
    """Do the work of :func:`annotate_confined` in the confined process; ``analysis`` is JSON."""
    from detector.annotated_video import annotate

    return asdict(
        annotate(
            exhibit,
            Analysis.from_json(analysis),
            out,
            maps,
            lambda share: progress(N_("drawing"), share),
            moving,
        )
    )


def segment_maps_confined(
    exhibit: Path,
    analysis: Analysis,
    segment_id: str,
    out: Path,
    progress: Progress | None = None,
    limits: Limits | None = None,
    model: str | Path | None = None,
) -> None:
    """Run :func:`detector.explain.segment_maps.write_segment_maps` in a confined process.

    ``out`` is an empty folder, ``model`` the name or the absolute path of the card of the model that the
    analysis names; by default the name there. Raises the errors of that function and of
    :mod:`detector.sandbox`.
    """
    exhibit, out = exhibit.absolute(), out.absolute()
    model = model or analysis.model.name
    card = Path(model).parent if Path(model).is_absolute() else None
    places = AllowedPaths(readable=(exhibit, *([card] if card else [])), writable=(out,))
    task = (_segment_maps_inside, exhibit, analysis.to_json(), segment_id, out, model)
    modules = ("detector.explain.segment_maps",)
    with Sandbox(*task, limits=limits or limits_of_environment(), places=places, modules=modules) as confined:
        confined.result(progress)
    refuse_links(out)


def _segment_maps_inside(
    exhibit: Path, analysis: str, segment_id: str, out: Path, model: str | Path, progress: Progress
) -> None:
    from detector.explain.segment_maps import write_segment_maps
    from detector.models.loaded import load_model

    result = Analysis.from_json(analysis)
    loaded = load_model(model)
    if result.model.second_look is None:
        loaded = loaded.alone
    write_segment_maps(
        exhibit, result, segment_id, out, loaded, lambda share: progress(N_("explaining"), share)
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
