"""Options of the commands that run the engine: model, back end, parameters of the analysis."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from detector.errors import ParameterError
from detector.schema.joint_rule import JointRule

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
    if parameters.crossed:
        name, other = parameters.crossed
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
