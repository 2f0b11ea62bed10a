"""The validation report: what it says, its PDF against the standards, its signature."""

from __future__ import annotations

import io
from pathlib import Path

import pikepdf
import pytest
from keys import make_key
from made_validation import items, validation
from pdf_rules import broken

from detector.schema.analysis import Parameters
from detector.schema.laboratory import Subject, Validation
from reports.signing import validation_files as signing
from reports.signing.keys import read_key
from reports.signing.validation_files import validation_files, write_validation
from reports.validation.validation_report import validation_report
from verification.verify import verify


@pytest.fixture(scope="module")
def made() -> Validation:
    return validation(items() + items(12, Subject.IMAGE, seed=3))


@pytest.fixture(scope="module")
def files(made: Validation) -> dict[str, bytes]:
    return validation_files(made)


def test_the_page_states_the_measurements(made: Validation, files: dict[str, bytes]) -> None:
    page = files["validation.html"].decode()
    whole = made.level(Subject.VIDEO)
    assert whole is not None
    rate = next(entry for entry in whole.rates if entry.figure == "false negative rate")
    assert f"{rate.value:.1%}".replace("%", " %") in page
    assert f"{rate.events} of {rate.items}" in page
    assert "Codecs, with the number of clips: H.264 (80)." in page
    assert "By skin tone" not in page
    assert "By sex" in page
    assert "Tippett plot" in page
    assert made.material_sha256 in page
    assert all(entry.sha256 in page for entry in made.items)
    assert "<script" not in page
    assert "style=" not in page


def test_older_validations_show_no_percentiles_of_codecs(made: Validation) -> None:
    codecs = made.covered[0].model_copy(update={"name": "other codecs"})
    older = made.model_copy(update={"covered": (*made.covered, codecs), "codecs": ()})
    view = validation_report(older).kinds[0]
    assert "other codecs" not in {row.name for row in view.covered} and not view.codecs


def test_the_pdf_keeps_its_standards_and_can_be_verified(
    tmp_path: Path, made: Validation, files: dict[str, bytes]
) -> None:
    with pikepdf.open(io.BytesIO(files["validation.pdf"])) as document:
        assert broken(document) == []
        assert document.attachments["validation.json"].get_file().read_bytes() == made.to_json().encode()
    path = tmp_path / "validation.pdf"
    path.write_bytes(files["validation.pdf"])
    assert verify(path).results.problems == []
    changed = bytearray(files["validation.pdf"])
    changed[len(changed) // 2] ^= 1
    path.write_bytes(changed)
    assert verify(path).results.problems


def test_a_key_signs_report_and_figures(
    tmp_path: Path, made: Validation, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing, "validation_files", lambda *_, **__: dict(files))  # made once
    file, password, _ = make_key(tmp_path)
    key = read_key(file, password)
    write_validation(made, tmp_path, key)
    verification = verify(tmp_path / "validation.pdf", [key.certificate])
    assert verification.results.problems == []
    assert (tmp_path / "validation.sig").stat().st_size > 500
    assert "validation.sig" in (tmp_path / "sha256sums.txt").read_text()
    write_validation(made, tmp_path)
    assert not (tmp_path / "validation.sig").exists()


def test_voices_have_words_of_their_own() -> None:
    made = validation(items(12) + items(40, Subject.VOICE, seed=2))
    page = validation_files(made)["validation.html"].decode()
    for words in (
        "manipulation of faces, and synthetic voices",
        "Codecs of the sound, with the number of files: Opus (80).",
        "synthetic speech found",
        "Human, above 1",
        "voices with labelled segments",
        "“manipulated” stands for synthetic",
    ):
        assert words in page
    view = validation_report(made)
    assert [kind.title for kind in view.kinds] == ["Videos", "Voices"]
    assert [kind.names.manipulated_short for kind in view.kinds] == ["Manip.", "Synth."]
    assert {row.label for row in view.annex} == {"manipulated", "unmanipulated", "synthetic", "human"}
    assert view.caution == (*made.limits[:2], *made.voice_limits[:2])
    one = validation_report(made.model_copy(update={"voice_limit_causes": (), "voice_limits": ("One.",)}))
    assert one.caution == (*made.limits[:3], "One.")
    alone = validation_report(validation(items(12, Subject.VOICE)))
    assert alone.caution == alone.limits[:4]
    assert alone.heading == "Validation report: synthetic voices" and not alone.model
    assert [fact.value for fact in alone.voice_model[:1]] == ["Reelproof voice (reelproof-voice)"]
    assert not validation_report(validation(items(12))).of_voices
    with_german = validation_report(made, "de")
    assert with_german.kinds[1].outcomes[0].label == "synthetisch"
    assert "Stimmen jedes Generators" in with_german.kinds[1].parts[2].note


def test_sections_without_content_are_left_out() -> None:
    view = validation_report(validation(items(8), temporal={}))
    assert "ratios" not in view.sections
    assert "time" not in view.sections
    numbers = [section.number for section in view.sections.values()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_only_the_default_threshold_is_called_default(made: Validation) -> None:
    for used, label, mark in ((0.65, "0.65 (default)", "default 0.65"), (0.5, "0.5 (used)", "used 0.5")):
        kind = validation_report(
            made.model_copy(update={"parameters": Parameters(enter_threshold=used)})
        ).kinds[0]
        assert label in [row.threshold for row in kind.thresholds]
        assert kind.plot is not None and kind.plot.marks[0].label == mark


def test_changed_parameters_are_stated(made: Validation) -> None:
    view = validation_report(made.model_copy(update={"parameters": Parameters(second_look=0)}))
    assert view.parameters == (("second_look", "0", "8"),)
