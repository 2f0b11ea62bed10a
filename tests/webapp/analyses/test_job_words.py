"""Translated states of jobs, for scripts."""

from __future__ import annotations

import re

import pytest

from detector.files import ROOT
from language import translation
from webapp.exhibits.queries import translate_status


def test_the_stage_is_translated() -> None:
    status = {"state": "running", "stage": "finding and scoring faces"}
    assert translate_status(status) == status
    with translation.speaking("de"):
        assert translate_status(status) == status | {"stage": "Gesichter werden gesucht und bewertet"}


@pytest.mark.parametrize("code", [code for code in translation.LANGUAGES if code != translation.DEFAULT])
def test_every_stage_is_translated(code: str) -> None:
    folders = (
        "detector/comparison",
        "detector/sandbox",
        "detector/scoring",
        "detector/segments",
        "webapp/worker",
    )
    sources = [
        ROOT / "detector/engine.py",
        *(path for name in folders for path in (ROOT / name).rglob("*.py")),
    ]
    pattern = re.compile(r'(?:progress|report)[(,]\s*(?:N_\()?"([a-z][^"]*)"')
    stages = {stage for source in sources for stage in pattern.findall(source.read_text("utf-8"))}
    assert {"getting ready", "finding and scoring faces", "second check", "drawing"} <= stages
    with translation.speaking(code):
        assert {stage for stage in stages if translation.translated(stage) == stage} == set()


def test_a_missing_remedy_is_empty() -> None:
    status = {"state": "failed", "stage": "reading", "error": "The file is empty."}
    status |= {"remedy": None, "failure": None}
    assert translate_status(status)["remedy"] == ""
