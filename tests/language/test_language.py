"""Which texts of a view are translated."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from analyses import build
from jinja2 import Environment

from language import translation
from language.translation import UNTRANSLATED, translated_view
from reports.report_view import ReportInputs, report_view


class Row(NamedTuple):
    name: str
    count: int


@dataclass(frozen=True)
class Inner:
    said: str
    written: str = field(metadata=UNTRANSLATED)


@dataclass(frozen=True)
class View:
    rows: tuple[Row, ...]
    by_key: dict[str, str]
    inner: Inner


def test_messages_are_translated_wherever_they_lie_but_for_marked_fields() -> None:
    view = View((Row("Model", 2),), {"Model": "Model"}, Inner("Model", "Model"))
    assert translated_view(view) == view
    with translation.speaking("de"):
        assert translated_view(view) == View(
            (Row("Modell", 2),), {"Model": "Modell"}, Inner("Modell", "Model")
        )


def test_a_file_named_like_a_message_keeps_its_name(tmp_path: Path) -> None:
    analysis = build(tmp_path)
    named = analysis.model_copy(update={"media": analysis.media.model_copy(update={"file": "Model"})})
    head = report_view(named, tmp_path, ReportInputs(language_code="de")).head
    assert (head.file, head.file_short) == ("Model", "Model")


def test_a_constant_in_a_template_is_not_translated_once_for_all_languages() -> None:
    made = Environment()
    translation.install(made)
    template = made.from_string('{{ "Model"|translated }}')
    with translation.speaking("de"):
        assert template.render() == "Modell"
    assert template.render() == "Model"
