"""Error rates, domain and reproduction as a report tells them, also of older analyses."""

from __future__ import annotations

import json
import shlex
from argparse import ArgumentParser
from pathlib import Path

import pytest
from analyses import build
from detailed_analysis import detailed, page

from cli.common import add_engine_options, parameters_from
from detector.models.model_files import DEFAULT_MODEL, RETIRED_MODELS, load_card
from detector.schema.analysis import Analysis, Parameters, Rate, Software
from detector.schema.method import LATER_PARAMETERS
from reports.procedure.reproduction import DEFAULT_WEIGHTS, _command, reproduction_view
from reports.report_view import report_view


def with_card(analysis: Analysis) -> Analysis:
    return analysis.model_copy(update={"model": load_card()[0].as_model()})


def test_error_rates_with_intervals(tmp_path: Path) -> None:
    analysis = with_card(detailed(tmp_path))
    view = report_view(analysis, tmp_path).measured_errors
    first = view.rates[0]
    assert first.data == "develop clips" and "thresholds were chosen on these clips" in first.about
    rate = next(row for row in first.rows if row.figure == "false positive rate")
    measured = next(r for r in analysis.model.rates if r.figure == "false positive rate")
    assert rate.value == f"{measured.value:.1%}".replace("%", " %")
    assert " to " in rate.interval and rate.counted.endswith(f"of {measured.items} clips")
    text = page(analysis, tmp_path)
    assert "How often the model is wrong" in text and "Clopper–Pearson" in text


def test_a_rate_without_interval(tmp_path: Path) -> None:
    analysis = build(tmp_path, kept=False)
    rate = Rate(figure="AUC", data="own", value=0.9, interval="none", items=5, unit="clips")
    model = analysis.model.model_copy(update={"rates": (rate,)})
    view = report_view(analysis.model_copy(update={"model": model}), tmp_path).measured_errors
    assert [row.interval for row in view.rates[0].rows] == ["not known"]


def test_the_domain_in_words(tmp_path: Path) -> None:
    analysis = with_card(detailed(tmp_path))
    whole = report_view(analysis, tmp_path)
    assert "outside" not in dict(whole.answers)["How certain"] and not whole.figure.outside
    view = whole.measured_errors
    assert {row.state for row in view.domain} == {"inside", "not known"}
    assert "Not known: face width" in view.sentence
    large = analysis.media.model_copy(update={"width": 7680, "height": 4320})
    view = report_view(analysis.model_copy(update={"media": large}), tmp_path)
    outside = view.measured_errors
    assert "unlike the material on which the model was validated: shorter side" in outside.sentence
    assert {row.state for row in outside.domain} == {"inside", "outside", "not known"}
    words = "unlike the material on which the model was validated (shorter side)"
    assert words in dict(view.answers)["How certain"] and words in view.figure.outside
    assert "cannot be compared" in report_view(build(tmp_path, kept=False), tmp_path).measured_errors.sentence


def test_reproduction(tmp_path: Path) -> None:
    analysis = build(tmp_path, kept=False)
    text = page(analysis, tmp_path)
    assert "python -m detector analyze interview_cut3.mp4" in text
    assert "--set enter_threshold=0.75" in text
    newer = Software(
        **analysis.software.model_dump(exclude={"threads", "command"}),
        threads=2,
        command="python -m detector x",
    )
    text = page(analysis.model_copy(update={"software": newer}), tmp_path)
    assert "python -m detector x" in text and ">Threads<" in text


@pytest.mark.parametrize("version", [f"1.{minor}" for minor in range(17)])
def test_the_command_disables_newer_features(tmp_path: Path, version: str) -> None:
    analysis = build(tmp_path, kept=False)
    software = analysis.software.model_copy(update={"command": "python -m detector analyze clip.mp4"})
    document = json.loads(analysis.to_json()) | {"schema_version": version}
    for name, versions in LATER_PARAMETERS.items():
        if version in versions:
            del document["parameters"][name]
    old = Analysis.from_json(json.dumps(document))
    for variant in (old, old.model_copy(update={"software": software})):
        command = shlex.split(_command(variant))[4:]
        parser = ArgumentParser()
        parser.add_argument("exhibit")
        add_engine_options(parser)
        given = parameters_from(parser.parse_known_args(command)[0])
        for name, versions in LATER_PARAMETERS.items():
            if version in versions:
                assert getattr(given, name) == getattr(old.parameters, name) == 0


def test_the_command_sets_former_defaults(tmp_path: Path) -> None:
    analysis = build(tmp_path, kept=False)
    values = {"search_interval": 2.0, "interpolate_below": 0.3, "median_window": 0.9, "enter_threshold": 0.65}
    parameters = analysis.parameters.model_copy(update=values)
    command = "python -m detector analyze 'a clip.mp4' --model reelproof --set median_window=0.9 --out again"
    software = analysis.software.model_copy(update={"command": command})
    old = analysis.model_copy(update={"software": software, "parameters": parameters})
    assert _command(old) == f"{command} --set search_interval=2.0 --set interpolate_below=0.3"
    broken = software.model_copy(update={"command": "analyze 'a clip"})
    assert _command(old.model_copy(update={"software": broken})) == "analyze 'a clip"


def test_the_command_uses_current_model_names(tmp_path: Path) -> None:
    analysis = build(tmp_path, kept=False)

    def named(name: str, sha256: str) -> str:
        model = analysis.model.model_copy(update={"name": name, "sha256": sha256})
        command = f"python -m detector analyze clip.mp4 --model {name} --out again"
        software = analysis.software.model_copy(update={"command": command})
        parameters = Parameters()
        made = {"model": model, "software": software, "parameters": parameters}
        return shlex.split(_command(analysis.model_copy(update=made)))[6]

    assert load_card(DEFAULT_MODEL)[0].sha256 == DEFAULT_WEIGHTS
    for sha256, name in RETIRED_MODELS.items():
        assert named(DEFAULT_MODEL, sha256) == named(name, sha256) == name
    assert named(DEFAULT_MODEL, DEFAULT_WEIGHTS) == DEFAULT_MODEL
    assert named(DEFAULT_MODEL, "c" * 64) == "reelproof.safetensors"
    assert named("mine", "c" * 64) == "mine"


def test_a_name_that_begins_with_a_hyphen_is_no_option(tmp_path: Path) -> None:
    made = build(tmp_path, kept=False)
    media = made.media.model_copy(update={"file": "-rf clip.mp4"})
    commands = reproduction_view(made.model_copy(update={"media": media}))
    assert shlex.split(commands.comparison)[-2:] == ["--reanalyse", "./-rf clip.mp4"]
