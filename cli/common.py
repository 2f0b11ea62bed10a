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
from detector.schema.joint import JointRule

if TYPE_CHECKING:
    from detector.schema.analysis import Parameters


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to one command."""
    parser.add_argument("--model", metavar="NAME|FILE", help="a model in models/, or the path of one")
    parser.add_argument(
        "--backend",
        metavar="NAME",
        help="back end for the networks: openvino, onnxruntime, torch (default: the fastest available), or "
        "openvino-bf16, which is faster and rounds scores",
    )
    parser.add_argument(
        "--sample-rate", type=float, metavar="N", help="sampled frames per second (default 8)"
    )
    parser.add_argument("--no-sound", action="store_true", help="leave the sound out: no voice is examined")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another parameter of the analysis, by its name in the report; repeatable",
    )


def add_other_models(parser: argparse.ArgumentParser, joint: bool = True) -> None:
    """Add the options for further models; with ``joint`` also the option for their joint rule."""
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="NAME|FILE",
        help="further model that judges the same faces, shown beside the first; repeatable",
    )
    if joint:
        parser.add_argument(
            "--joint",
            choices=[str(rule) for rule in JointRule],
            default=str(JointRule.FIRST),
            help="how several models decide together: the first alone (default), any, the majority, or all",
        )


def parameters_from(options: argparse.Namespace) -> Parameters:
    """Build the parameters; raises :class:`ParameterError` naming an invalid option."""
    from pydantic import ValidationError

    from detector.schema.analysis import Parameters

    values: dict[str, object] = {} if options.sample_rate is None else {"sample_rate": options.sample_rate}
    if getattr(options, "no_sound", False):
        values["sound"] = False
    for setting in options.set:
        name, equals, value = setting.partition("=")
        if not equals or name not in Parameters.model_fields:
            raise ParameterError(
                f"--set {setting}: write NAME=VALUE. Names are {', '.join(Parameters.model_fields)}."
            )
        if name in values and not _same(values[name], value):
            raise ParameterError(f"{name} is given twice, as {values[name]} and as {value}. Give it once.")
        values[name] = value
    try:
        parameters = Parameters.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        option = (
            "--sample-rate" if name == "sample_rate" and options.sample_rate is not None else f"--set {name}"
        )
        raise ParameterError(f"{option}: {first['msg']}.") from None
    if parameters.inverted_thresholds:
        name, other_name = parameters.inverted_thresholds
        limit = f"{getattr(parameters, other_name):g}"
        raise ParameterError(
            f"--set {name}: {getattr(parameters, name):g} must not be above {other_name}, {limit}. "
            f"Set both, as --set {other_name}={limit} --set {name}={limit}."
        )
    return parameters


def _same(first: object, second: str) -> bool:
    """Check whether two values of a parameter are equal, such as 8 and 8.0."""
    try:
        return float(str(first)) == float(second)
    except ValueError:
        return first == second


@contextmanager
def progress_bar(*, stages: bool = False) -> Iterator[Progress]:
    """Return a function that draws progress from 0 to 1 on a terminal.

    The bar never goes back, except with ``stages`` for each new stage. It starts no thread, so that processes
    may be forked.
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
    """Print one line. File names in it are untrusted, so control characters are escaped."""
    print(printable(text))


def progress_line(text: str) -> None:
    """Print one line for a step of a long command."""
    print(text, file=sys.stderr, flush=True)


def refuse_occupied_folder(folder: Path, mark: str, earlier: str) -> None:
    """Raise :class:`ParameterError` for a file, or for a folder that has content but no result.

    ``mark`` is the file that identifies an earlier result, ``earlier`` its name in messages.
    """
    if folder.exists() and not folder.is_dir():
        raise ParameterError(f"{folder} is a file. Choose a folder.")
    if folder.is_dir() and os.listdir(folder) and not (folder / mark).is_file():
        raise ParameterError(f"{folder} is not empty and contains no {earlier}. Choose another folder.")


def temporary_folder_beside(folder: Path) -> AbstractContextManager[str]:
    """Return a temporary folder for the result, so that a failure keeps an earlier result intact."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    return temporary_folder(".result-", folder.parent, folder)


def replace_folder(result: Path, folder: Path, *, pictures: str, earlier: Iterable[str] = ()) -> None:
    """Move a finished result into ``folder``, replacing an earlier one.

    ``pictures`` is a subfolder that is removed first, because the earlier result may have had more files.
    ``earlier`` are names of files to remove if the new result does not contain them.
    """
    folder.mkdir(exist_ok=True)
    for name in earlier:
        if not (result / name).exists():
            (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / pictures, ignore_errors=True)
    for part in result.iterdir():
        part.replace(folder / part.name)
