"""Options, progress output and result folders that commands share."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from detector.errors import ParameterError
from detector.files import temporary_folder
from detector.progress import Progress
from detector.schema.formatting import printable
from detector.schema.method import JointRule

if TYPE_CHECKING:
    from detector.schema.analysis import Parameters


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add them to one command."""
    parser.add_argument("--model", metavar="NAME|FILE", help="a model in models/, or the path of one")
    parser.add_argument(
        "--backend",
        metavar="NAME",
        help="what runs the network: openvino, onnxruntime, torch (default: the fastest present), or "
        "openvino-bf16, which is faster and rounds scores",
    )
    parser.add_argument("--sample-rate", type=float, metavar="N", help="sampled frames a second (default 8)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another parameter of the analysis, as the report's list names it; may be given again",
    )


def add_other_models(parser: argparse.ArgumentParser, joint: bool = True) -> None:
    """Add the options that ask for other models beside the first one; ``joint``: and for their rule."""
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="NAME|FILE",
        help="another model that judges the same faces, shown beside the first; may be given again",
    )
    if joint:
        parser.add_argument(
            "--joint",
            choices=[str(rule) for rule in JointRule],
            default=str(JointRule.FIRST),
            help="how several models decide together: the first alone (default), any, the majority, or all",
        )


def parameters_from(options: argparse.Namespace) -> Parameters:
    """The parameters given; raises :class:`ParameterError` naming the option that is wrong."""
    from pydantic import ValidationError

    from detector.schema.analysis import Parameters

    given: dict[str, object] = {} if options.sample_rate is None else {"sample_rate": options.sample_rate}
    for setting in options.set:
        name, equals, value = setting.partition("=")
        if not equals or name not in Parameters.model_fields:
            raise ParameterError(
                f"--set {setting}: write NAME=VALUE. Names are {', '.join(Parameters.model_fields)}."
            )
        if name in given and not _same(given[name], value):
            raise ParameterError(
                f"{name} is given twice, as {given[name]} and as {value}. Name the one that is meant."
            )
        given[name] = value
    try:
        parameters = Parameters.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        option = (
            "--sample-rate" if name == "sample_rate" and options.sample_rate is not None else f"--set {name}"
        )
        raise ParameterError(f"{option}: {first['msg']}.") from None
    if parameters.inverted_thresholds:
        name, other = parameters.inverted_thresholds
        most = f"{getattr(parameters, other):g}"
        raise ParameterError(
            f"--set {name}: {getattr(parameters, name):g} must not be above {other}, {most}. "
            f"Set both, as --set {other}={most} --set {name}={most}."
        )
    return parameters


def _same(first: object, second: str) -> bool:
    """Whether two values of one parameter say the same, be they written as 8 and 8.0."""
    try:
        return float(str(first)) == float(second)
    except ValueError:
        return first == second


@contextmanager
def progress_bar(*, stages: bool = False) -> Iterator[Progress]:
    """A bar from 0 to 1, drawn on a terminal only; call what is given with the stage and the share done.

    The bar never goes back, but with ``stages`` for each new stage. No thread is started, so that processes
    may be forked from this one.
    """
    from tqdm import tqdm

    tqdm.monitor_interval = 0
    last = ""
    with tqdm(total=1.0, bar_format="{desc:28}{percentage:3.0f} % |{bar}| {elapsed}", disable=None) as bar:

        def show(stage: str, share: float) -> None:
            nonlocal last
            if stages and stage != last:
                bar.reset()
            last = stage
            bar.set_description_str(stage, refresh=False)
            bar.update(max(0.0, share - bar.n))

        yield show


def print_line(text: str) -> None:
    """One line for people. Names of files in it may come from anybody and neither add lines nor hide them."""
    print(printable(text))


def progress_line(what: str) -> None:
    """One line for a step of a command that goes on for minutes or hours."""
    print(what, file=sys.stderr, flush=True)


def refuse_occupied_folder(folder: Path, mark: str, earlier: str) -> None:
    """Raise :class:`ParameterError` for a file, and for a folder of other things than ours.

    ``mark`` is the file by which an earlier result is known, ``earlier`` what messages call one.
    """
    if folder.exists() and not folder.is_dir():
        raise ParameterError(f"{folder} is a file. Name a folder.")
    if folder.is_dir() and os.listdir(folder) and not (folder / mark).is_file():
        raise ParameterError(f"{folder} is not empty and holds no {earlier}. Name another folder.")


def temporary_folder_beside(folder: Path) -> AbstractContextManager[str]:
    """A folder to make the result in: what fails leaves an earlier result as it was."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    return temporary_folder(".result-", folder.parent, folder)


def replace_folder(made: Path, folder: Path, *, pictures: str, earlier: Iterable[str] = ()) -> None:
    """Move a finished result into ``folder``, where parts of an earlier one are replaced.

    ``pictures`` is the folder among them that is removed first: the earlier result may have had more.
    ``earlier`` are files of it that are removed as well where this one has none of the name.
    """
    folder.mkdir(exist_ok=True)
    for name in earlier:
        if not (made / name).exists():
            (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / pictures, ignore_errors=True)
    for part in made.iterdir():
        part.replace(folder / part.name)
