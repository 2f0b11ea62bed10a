"""The commands ``validate`` and ``threshold``: a laboratory's own error rates."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.commands import AddCommand
from cli.common import (
    add_engine_options,
    add_other_models,
    parameters_from,
    print_line,
    progress_bar,
    refuse_occupied_folder,
)
from detector.errors import ParameterError
from language.languages import DEFAULT, LANGUAGES

if TYPE_CHECKING:
    from detector.schema.laboratory import Level, Validation


def add_validation_commands(add: AddCommand) -> None:
    validate = add("validate")
    validate.add_argument(
        "data",
        type=Path,
        metavar="DATA",
        help="folder with real and manipulated in it, or CSV file,label[,voice,generator,group,segments,"
        "persons,skin_tone,sex,…]",
    )
    validate.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for lines, validation and report"
    )
    validate.add_argument("--title", default="", metavar="TEXT", help="title of the material")
    validate.add_argument("--laboratory", metavar="TEXT", help="whose validation it is")
    validate.add_argument("--workers", type=int, metavar="N", help="files at a time (default: one a core)")
    validate.add_argument(
        "--repeat", type=int, default=5, metavar="N", help="files of each kind analysed again (default 5)"
    )
    validate.add_argument(
        "--against",
        type=Path,
        metavar="FILE",
        help="validation.json of the same material from another machine, to compare with",
    )
    validate.add_argument("--key", type=Path, metavar="KEY.p12", help="sign report and manifest with it")
    validate.add_argument(
        "--password-file", type=Path, metavar="FILE", help="file with the key's password in its first line"
    )
    validate.add_argument(
        "--language", choices=list(LANGUAGES), default=DEFAULT, help="language of the report (default en)"
    )
    add_engine_options(validate)
    add_other_models(validate, joint=False)
    validate.set_defaults(run=_validate)
    threshold = add("threshold")
    threshold.add_argument("validation", type=Path, metavar="FILE", help="validation.json")
    chosen = threshold.add_mutually_exclusive_group(required=True)
    chosen.add_argument(
        "--false-positive-rate",
        type=float,
        metavar="R",
        help="flag at most this share of unmanipulated files",
    )
    chosen.add_argument(
        "--cost", type=float, metavar="C", help="a false positive costs this many times a false negative"
    )
    threshold.add_argument(
        "--share",
        type=float,
        default=0.5,
        metavar="S",
        help="expected share of manipulated exhibits, for --cost (default 0.5)",
    )
    threshold.set_defaults(run=_threshold)


def _validate(options: argparse.Namespace) -> int:
    parameters = parameters_from(options)
    if options.repeat < 0:
        raise ParameterError(f"--repeat {options.repeat}: must be 0 or more.")
    from detector.validation.conclude import validate
    from detector.validation.measuring import MEASURED, Run

    refuse_occupied_folder(options.out, MEASURED, "validation")  # an interrupted validation is continued
    key = _key(options)  # report a wrong password before hours of work
    against = _read(options.against) if options.against else None
    options.out.mkdir(parents=True, exist_ok=True)
    with progress_bar(stages=True) as show:
        validation = validate(
            options.data,
            options.out,
            Run(options.model, parameters, options.workers, options.repeat, tuple(options.also)),
            show,
            title=options.title,
            laboratory=options.laboratory,
            other_machine=against,
        )
        show("writing the report", 0.0)
        from detector.validation.rates import quoted_extract
        from detector.validation.validated_model import validates_faces
        from reports.signing.validation_files import write_validation

        laboratory = quoted_extract(validation, validation.to_json().encode()).to_json().encode()
        write_validation(validation, options.out, key, laboratory, options.language)
    titles = [validation.model.title] if validates_faces(validation) else []
    titles += [validation.voice_model.title] if validation.voice_model else []
    print_line(f"{validation.title}: {validation.files:,} files, {', '.join(titles)}")
    for level in validation.levels:
        if not level.attribute:
            _print_level(level.name, level)
    _print_others(validation)
    for sentence in dict.fromkeys((*validation.limits, *validation.voice_limits)):
        print_line(f"  {sentence}")
    print_line(f"Report: {options.out / 'validation.pdf'}")
    return 1 if any(item.error for item in validation.items) else 0


def _threshold(options: argparse.Namespace) -> int:
    from detector.files import write_atomically
    from detector.schema.laboratory import LABORATORY_FILE as LABORATORY
    from detector.schema.method import is_shipped_threshold
    from detector.validation.rates import (
        quoted_extract,
        thresholds_by_cost,
        thresholds_by_false_positive_rate,
    )

    validation, text = _read(options.validation), options.validation.read_bytes()
    if options.cost is not None:
        own = thresholds_by_cost(validation, options.cost, options.share)
    else:
        own = thresholds_by_false_positive_rate(validation, options.false_positive_rate)
    place = options.validation.parent / LABORATORY
    write_atomically(place, quoted_extract(validation, text, own).to_json().encode())
    for chosen in own:
        used = "shipped" if is_shipped_threshold(chosen.shipped) else "used"
        rates = ", ".join(
            f"{rate.figure} {rate.value:.3f} ({rate.low:.3f} to {rate.high:.3f})"
            for rate in (chosen.false_positive, chosen.false_negative)
        )
        print_line(
            f"{chosen.false_positive.unit}: flagged from {chosen.threshold:g} "
            f"({used} {chosen.shipped:g}); {rates}"
        )
    print_line(f"For reports: --laboratory {place}")
    return 0


def _key(options: argparse.Namespace) -> Any:
    if not options.key:
        return None
    from reports.signing.keys import read_key

    return read_key(options.key, options.password_file)


def _read(path: Path) -> Validation:
    from pydantic import ValidationError

    from detector.schema.laboratory import Validation

    try:
        return Validation.from_json(path.read_bytes())
    except ValidationError:
        raise ParameterError(f"{path} is not a validation.json of this version.") from None


def _print_level(name: str, level: Level) -> None:
    print_line(f"{name}:")
    for rate in level.rates:
        interval = "" if rate.low is None or rate.high is None else f" ({rate.low:.3f} to {rate.high:.3f})"
        of = f", {rate.events} of {rate.items}" if rate.events is not None else ""
        print_line(f"  {rate.figure} {rate.value:.3f}{interval}{of}")


def _print_others(validation: Validation) -> None:
    """Print the rates of further models and of all together by each rule, over all of each kind."""
    rows = [(others.model.title, others.levels) for others in validation.others]
    rows += [(f"together, {others.rule}", others.levels) for others in validation.joint]
    for title, levels in rows:
        for level in levels:
            if not level.attribute:
                _print_level(f"{title}: {level.name}", level)
