"""``reelproof``: all commands under one name, and the programs of earlier versions as aliases."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from cli.commands import COMMANDS, GROUPS, Program
from cli.engine import main as engine
from cli.main import main
from cli.reports import main as reports
from cli.web import main as web
from detector.files import ROOT

_PARSERS: dict[Program, Callable[[str], argparse.ArgumentParser]] = {
    Program.ENGINE: engine.argument_parser,
    Program.REPORTS: lambda program: reports._parser(program, "reports"),
    Program.WEB: web._parser,
}
_PROCESSES = {"serve", "worker"}  # take no options


def commands_of(parser: argparse.ArgumentParser) -> set[str]:
    (action,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return set(action.choices)


@pytest.mark.parametrize("program", Program)
def test_each_command_has_its_parser(program: Program) -> None:
    listed = {name for name, command in COMMANDS.items() if command.program is program} - _PROCESSES
    assert commands_of(_PARSERS[program]("reelproof")) == listed
    assert commands_of(_PARSERS[program](program)) == {COMMANDS[name].former or name for name in listed}


def test_names_are_unique() -> None:
    assert len(COMMANDS) == sum(len(group) for group in GROUPS.values())


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    printed = capsys.readouterr().out
    assert ended.value.code == 0
    assert re.findall(r"^  ([a-z-]+) +\w", printed, re.M)[-len(COMMANDS) :] == list(COMMANDS)


@pytest.mark.parametrize(
    "name", ["analyze", "report", "export", "export-model", "serve", "worker", "add-user"]
)
def test_help_of_a_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: reelproof {name} [-h]")


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_documented(name: str) -> None:
    assert re.search(rf"(reelproof |`){name}\b", (ROOT / "docs" / "cli.md").read_text("utf-8")), name


@pytest.mark.parametrize("arguments", [[], ["render", "analysis.json"], ["serve", "--port", "1"]])
def test_unknown_commands_and_options_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: reelproof ")


def test_errors_name_the_command_that_was_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "missing"]) == 2
    assert capsys.readouterr().err.startswith("reelproof: ")
    assert reports.main(["verify", "missing"]) == 2
    assert capsys.readouterr().err.startswith("reports: ")


def test_export_of_a_model_keeps_its_former_name_with_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["export", "no-such-model", "--to"])
    warning, usage, *_ = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert "reelproof export-model" in warning and usage.startswith("usage: reelproof export-model ")


@pytest.mark.fresh
def test_help_imports_no_program() -> None:
    code = (
        "import sys; from cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print(*sys.modules, sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    packages = {"detector", "language", "reports", "verification", "webapp", "cli.engine", "cli.web"}
    assert not packages & set(done.stdout.splitlines())


@pytest.mark.fresh
def test_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "cli", "schema", "comparison"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == (ROOT / "docs" / "comparison.schema.json").read_text("utf-8")
