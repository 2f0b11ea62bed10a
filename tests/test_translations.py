"""Catalogues are complete: each message of the sources is in them, translated, with the same placeholders."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from babel.messages import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po
from bare_script_text import bare_script_text
from bare_text import bare_text

from detector.files import ROOT
from detector.models.model_files import DEFAULT_MODEL, MODELS_FOLDER, SECOND_LOOK_FOLDER, SHIPPED_MODELS
from detector.schema.analysis import Parameters
from detector.schema.causes.cause import Cause
from language import translation
from language.catalogues import CATALOGUES, MESSAGES, SCRIPTS

LANGUAGES = [code for code in translation.LANGUAGES if code != translation.DEFAULT]
KEYWORDS = {
    "_": None,
    "N_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "plural": (2, 3),
}
MAPPINGS = {MESSAGES: "babel.cfg", SCRIPTS: "babel-scripts.cfg"}
PLACEHOLDER = re.compile(r"%\((\w+)\)s")
TAG = re.compile(r"</?\w+")


def in_sources(domain: str) -> set[str]:
    """The messages of the sources, by their singular."""
    with (ROOT / MAPPINGS[domain]).open() as file:
        methods, options = parse_mapping_cfg(file)
    keywords = {name: positions for name, positions in KEYWORDS.items() if domain == MESSAGES or name != "N_"}
    extracts = extract_from_dir(
        ROOT, methods, options, keywords, directory_filter=lambda path: not _is_left_out(Path(path))
    )
    return {message[0] if isinstance(message, tuple) else message for _, _, message, _, _ in extracts}


def _is_left_out(path: Path) -> bool:
    return path.name.startswith(".") or path.parent == ROOT and path.name in ("out", "instance", "tests")


def kept(code: str, domain: str) -> Catalog:
    """A catalogue as it lies in the sources."""
    text = (CATALOGUES / code / "LC_MESSAGES" / f"{domain}.po").read_bytes()
    return read_po(BytesIO(text), locale=code)


@pytest.fixture(scope="module", params=MAPPINGS)
def messages(request: pytest.FixtureRequest) -> tuple[str, set[str]]:
    return request.param, in_sources(request.param)


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_message_is_translated(code: str, messages: tuple[str, set[str]]) -> None:
    domain, used = messages
    known = {
        (message.id[0] if message.pluralizable else message.id): message
        for message in kept(code, domain)
        if message.id
    }
    assert sorted(used - set(known)) == [], "run `make translations`, then translate what is new"
    assert sorted(set(known) - used) == [], "run `make translations`: these are used no more"
    lacking = [
        key
        for key, message in known.items()
        if message.fuzzy or not (all(message.string) if message.pluralizable else message.string)
    ]
    assert lacking == []


def test_names_of_parameters_are_messages(messages: tuple[str, set[str]]) -> None:
    """Reports name each parameter by its field's name, which nothing else marks for translation."""
    domain, used = messages
    if domain == MESSAGES:
        unmarked = [name for name in Parameters.model_fields if name.replace("_", " ") not in used]
        assert unmarked == [], "mark these, with spaces, in language/stored_words.py"


def test_no_message_is_hidden_from_extraction(messages: tuple[str, set[str]]) -> None:
    """Babel's reader of Python overlooks calls inside calls and what is chosen between; the tree has all."""
    domain, used = messages
    if domain != MESSAGES:
        pytest.skip("of Python")
    lacking = sorted(
        f"{path.relative_to(ROOT)}: {message}"
        for package in ("cli", "detector", "language", "reports", "verification", "webapp")
        for path in (ROOT / package).rglob("*.py")
        for message in _marked(ast.parse(path.read_text("utf-8")))
        if message and message not in used
    )
    assert lacking == [], "name these in INSIDE or counted() of language/stored_words.py"


def _marked(tree: ast.AST) -> Iterator[str]:
    """What the source gives to the functions that translate or mark, be it chosen by a condition."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name in KEYWORDS:
            places = [at - 1 for at in KEYWORDS[name] or (1,)]
            yield from (text for at in places[:1] if at < len(node.args) for text in _texts(node.args[at]))


def _texts(node: ast.expr) -> list[str]:
    match node:
        case ast.Constant(value=str() as text):
            return [text]
        case ast.IfExp():
            return [*_texts(node.body), *_texts(node.orelse)]
    return []


def test_the_reader_of_the_tree_finds_calls_inside_calls() -> None:
    tree = ast.parse("f(gettext('a' if x else 'b', y=g(N_('c'))), plural(n, 'one', 'many'))")
    assert sorted(_marked(tree)) == ["a", "b", "c", "one"]


@pytest.mark.parametrize("domain", MAPPINGS)
@pytest.mark.parametrize("code", LANGUAGES)
def test_no_word_is_translated_by_a_letter(code: str, domain: str) -> None:
    """As it is where a word is filled in where its plural forms belong: “A”, “n” of “Anmerkung”."""
    pairs = [
        (msgid, form)
        for message in kept(code, domain)
        for msgid, form in _by_form(message)
        if sum(map(str.isalpha, msgid)) > 2 and sum(map(str.isalpha, form)) < 2
    ]
    assert pairs == []


def _by_form(message: Message) -> list[tuple[str, str]]:
    """Each English form of a message with its translation."""
    if message.pluralizable:
        return list(zip(message.id, message.string, strict=True))
    return [(message.id, message.string)]


@pytest.mark.parametrize("domain", MAPPINGS)
@pytest.mark.parametrize("code", LANGUAGES)
def test_placeholders_and_elements_agree(code: str, domain: str) -> None:
    for message in kept(code, domain):
        if not message.id:
            continue
        if message.pluralizable:
            allowed = {*PLACEHOLDER.findall(message.id[0]), *PLACEHOLDER.findall(message.id[1])}
            for form in message.string:
                assert set(PLACEHOLDER.findall(form)) <= allowed, form
            assert set(PLACEHOLDER.findall(message.string[1])) == set(PLACEHOLDER.findall(message.id[1])), (
                message.id
            )
        else:
            assert set(PLACEHOLDER.findall(message.string)) == set(PLACEHOLDER.findall(message.id)), (
                message.id
            )
            assert sorted(TAG.findall(message.string)) == sorted(TAG.findall(message.id)), message.id
        for form in message.string if message.pluralizable else (message.string,):
            assert "%" not in PLACEHOLDER.sub("", form).replace("%%", ""), f"write %% for %: {form}"


def test_catalogues_of_a_new_language_are_begun_in_its_folder(tmp_path: Path) -> None:
    for name in ("Makefile", *MAPPINGS.values()):
        shutil.copy(ROOT / name, tmp_path)
    for path, text in (("reports/said.py", "gettext('Saved')"), ("static/js/said.js", "_('Sent');")):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(text)
    catalogues = tmp_path / "translations" / "fr" / "LC_MESSAGES"
    catalogues.mkdir(parents=True)
    command = ["make", "-s", f"VENV={sys.prefix}", "-o", f"{sys.prefix}/.ready", "translations"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    for domain, message in ((MESSAGES, "Saved"), (SCRIPTS, "Sent")):
        begun = read_po(BytesIO((catalogues / f"{domain}.po").read_bytes()))
        assert [entry.id for entry in begun if entry.id] == [message]
        assert (begun.locale_identifier, begun.num_plurals, begun.fuzzy) == ("fr", 2, False)


def test_templates_hold_no_text_outside_gettext() -> None:
    assert bare_text(ROOT / "templates") == []


def test_the_checker_finds_bare_text(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        '<p title="A title">'
        '{{ _("known") }} · {% trans %}known{% endtrans %} Some words {{ "More" if x }}</p>'
    )
    texts = [text for _, _, text in bare_text(tmp_path)]
    assert texts == ["A title", "· Some words", "More"]


def test_scripts_hold_no_text_outside_gettext() -> None:
    assert bare_script_text(ROOT / "static" / "js") == []


def test_the_checker_finds_bare_text_in_scripts(tmp_path: Path) -> None:
    (tmp_path / "script.js").write_text(
        """import { _, ngettext } from "./language.js"; // Some words
        place.textContent = many ? "many" : _("A few");
        place.className = "one two";
        el("p", { class: "wide low", title: "Known" }, "undo", ngettext("%(num)s in", "%(num)s ins", n));
        say(`At ${time} it ends`);
        say(`${_("Lost")}: ${time}`);
        document.querySelector("button a").dataset.state = "queued";
        """
    )
    texts = [text for _, _, text in bare_script_text(tmp_path)]
    assert texts[:4] == ["many", "Known", "undo", "At … it ends"]
    assert texts[4:] == ['pybabel does not look into template literals: ${_("Lost")}: ${time}']


def test_only_whole_messages_are_translated() -> None:
    """Sentences are not searched for messages that were filled in."""
    with translation.speaking("de"):
        assert translation.translated("Your account") == "Ihr Konto"
        for text in ("", "Your account. Your account", "The file is a PDF document.", "12 segments"):
            assert translation.translated(text) == text


@pytest.mark.parametrize("domain", MAPPINGS)
def test_a_face_has_one_word_in_spanish(domain: str) -> None:
    """*Rostro*, and never *cara*."""
    forms = [form for message in kept("es", domain) for _, form in _by_form(message)]
    assert [form for form in forms if re.search(r"\bcaras?\b", form, re.IGNORECASE)] == []


def test_a_median_is_not_called_a_mean() -> None:
    with translation.speaking("de"):
        assert translation.gettext("Median time") == "Mediane Dauer"


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("name", sorted(SHIPPED_MODELS))
def test_what_a_shipped_models_card_says_of_it_is_translated(name: str, code: str) -> None:
    """But for its training data and recipe, of which pages say that they are in English."""
    card = json.loads((MODELS_FOLDER / f"{name}.json").read_bytes())
    rates = [
        rate[about]
        for rate in card["rates"]
        for about in ("figure", "data", "interval", "note")
        if about in rate
    ]
    causes = [card["domain_cause"], *card["limit_causes"], *(entry["cause"] for entry in card["validated"])]
    figures = [part for figure in card["figures"] for part in figure.replace("_", " ").split(", ")]
    words = {entry for entry in (*rates, *(entry["name"] for entry in card["validated"]), *figures) if entry}
    with translation.speaking(code):
        lacking = {entry for entry in words if translation.translated(entry) == entry}
        lacking |= _untranslated(causes)
    assert lacking <= {"AUC"}


def _untranslated(causes: Iterable[dict[str, Any]]) -> set[str]:
    texts = {cause["text"]: translation.cause_text(Cause.model_validate(cause)) for cause in causes}
    return {english for english, translated in texts.items() if english == translated}


@pytest.mark.parametrize("code", LANGUAGES)
def test_what_the_card_of_voices_says_is_translated(code: str) -> None:
    card = json.loads((MODELS_FOLDER / "voice" / "reelproof-voice.json").read_bytes())
    causes = [card["domain_cause"], *card["limit_causes"], *(entry["cause"] for entry in card["validated"])]
    with translation.speaking(code):
        assert _untranslated(causes) == set()


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_second_looks_card_is_translated(code: str) -> None:
    """Mark what lacks in `language/stored_words.py`."""
    card = json.loads((MODELS_FOLDER / SECOND_LOOK_FOLDER / f"{DEFAULT_MODEL}.json").read_bytes())
    rates = [rate[name] for rate in card["rates"] for name in ("interval", "note") if rate.get(name)]
    words = {*card["learnt"], *rates, *(part for rate in card["rates"] for part in rate["data"].split(", "))}
    with translation.speaking(code):
        lacking = [text for text in sorted(words) if translation.translated(text) == text]
        lacking += _untranslated((card["domain_cause"], *card["limit_causes"]))
        names = {part for name in card["figures"] for part in name.replace("_", " ").split(", ")}
        unnamed = {
            part for part in names if re.search("[a-z]{3}", part) and translation.translated(part) == part
        }
    assert lacking == []
    assert unnamed <= {"FaceForensics++", "StyleGAN 1", "StyleGAN 2", "Photoshop"}, "but proper names"
