"""What pages print of a job while scripts follow it."""

from __future__ import annotations

import re

import pytest

from detector.files import ROOT
from reports.language import translation
from webapp.analyses.queries import translate_status


def test_words_are_in_the_language_of_the_page_and_the_rest_is_not() -> None:
    status = {"state": "running", "stage": "finding and scoring faces"}
    assert translate_status(status) == status | {"words": {"stage": "Finding and scoring faces"}}
    with translation.speaking("de"):
        assert translate_status(status) == status | {
            "words": {"stage": "Gesichter werden gesucht und bewertet"}
        }


@pytest.mark.parametrize("code", [code for code in translation.LANGUAGES if code != translation.DEFAULT])
def test_every_stage_that_a_job_tells_of_has_a_translation(code: str) -> None:
    folders = (
        "detector/comparison",
        "detector/sandbox",
        "detector/scoring",
        "detector/segments",
        "webapp/worker",
    )
    sources = [
        ROOT / "detector/engine.py",
        *(each for name in folders for each in (ROOT / name).rglob("*.py")),
    ]
    told = re.compile(r'(?:progress|report)[(,]\s*"([a-z][^"]*)",')
    stages = {stage for source in sources for stage in told.findall(source.read_text("utf-8"))}
    assert {"getting ready", "finding and scoring faces", "looking again", "drawing"} <= stages
    with translation.speaking(code):
        assert {stage for stage in stages if translation.translated(stage) == stage} == set()


def test_a_failure_without_a_remedy_has_an_empty_one() -> None:
    status = {"state": "failed", "stage": "reading", "error": "The file is empty.", "remedy": None}
    assert translate_status(status)["words"]["remedy"] == ""
