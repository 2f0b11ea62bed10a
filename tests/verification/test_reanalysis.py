"""``verify --reanalyse``: the right exhibit, the right model, and what is said of the outcome."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import cv2
import pytest
from analyses import build
from voices import voice

import detector
from cli.reports.main import main
from detector.demo_clip import make_sample
from detector.models.model_files import RETIRED_MODELS, load_card, read_second_look
from detector.schema.analysis import Analysis, Joint, Library, OtherModel
from detector.schema.joint import JointRule
from detector.schema.model import SecondLookModel
from detector.voice.card import read_voice_card
from reports import write_report
from reports.bundle.manifest import file_entries, manifest_files, new_manifest
from verification import reanalysis
from verification.checks import CheckResults
from verification.reanalysis import ReanalysisError, check_voice_model, reanalyse
from verification.verify import verify


@pytest.fixture
def case(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A result without reports, its exhibit, and the weights it names."""
    exhibit, weights = tmp_path / "clip.mp4", tmp_path / "m.safetensors"
    exhibit.write_bytes(b"the exhibit")
    weights.write_bytes(b"the weights")
    folder = tmp_path / "result"
    folder.mkdir()
    made = build(folder, kept=False, sha256=hashlib.sha256(b"the exhibit").hexdigest())
    model = made.model.model_copy(update={"sha256": hashlib.sha256(b"the weights").hexdigest()})
    analysis = made.model_copy(update={"model": model})
    (folder / "analysis.json").write_text(analysis.to_json())
    manifest = new_manifest(analysis, "result").model_copy(
        update={"files": file_entries(folder, ["analysis.json"])}
    )
    for name, data in manifest_files(manifest).items():
        (folder / name).write_bytes(data)
    return folder, exhibit, weights


def recorded(folder: Path) -> Analysis:
    return Analysis.from_json((folder / "analysis.json").read_bytes())


def test_findings_that_agree(
    case: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, exhibit, weights = case
    asked: dict[str, object] = {}

    def analyze(path: Path, _folder: Path, **options: object) -> Analysis:
        asked.update(options, path=path)
        return recorded(folder)

    monkeypatch.setattr(reanalysis, "analyze_confined", analyze)
    command = ["verify", str(folder), "--reanalyse", str(exhibit), "--model", str(weights)]
    assert main(command) == 0
    assert "The findings agree." in capsys.readouterr().out
    assert callable(asked.pop("write"))  # so that pictures are made
    assert asked == {
        "path": exhibit,
        "name": "interview_cut3.mp4",
        "parameters": recorded(folder).parameters,
        "model": str(weights),
        "explain": recorded(folder).explained,
    }
    assert main([*command, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["reanalysis"]["agree"] is True


def test_findings_that_differ(
    case: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, exhibit, weights = case
    other = recorded(folder)
    fewer = other.model_copy(update={"segments": other.segments[1:]})
    monkeypatch.setattr(reanalysis, "analyze_confined", lambda path, folder, **options: fewer)
    assert main(["verify", str(folder), "--reanalyse", str(exhibit), "--model", str(weights)]) == 1
    output = capsys.readouterr().out
    assert "The findings differ." in output and "analysis.json: does not fit: analysed again" in output


def test_differing_findings_of_another_version_of_the_engine_are_not_held_against_the_file(
    case: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, exhibit, weights = case
    there = recorded(folder)
    here = there.software.model_copy(update={"source_sha256": "b" * 64})
    command = ["verify", str(folder), "--reanalyse", str(exhibit), "--model", str(weights)]

    fewer = there.model_copy(update={"segments": there.segments[1:], "software": here})
    monkeypatch.setattr(reanalysis, "analyze_confined", lambda path, folder, **options: fewer)
    assert main(command) == 1
    output = capsys.readouterr().out
    assert "NOT REPEATED: 1 found" in output and "DOES NOT FIT" not in output
    assert "analysis.json: not repeated: analysed again" in output
    assert "Note: Another version of the engine made this analysis" in output

    same = there.model_copy(update={"software": here})
    monkeypatch.setattr(reanalysis, "analyze_confined", lambda path, folder, **options: same)
    assert main(command) == 0
    assert "Everything fits." in capsys.readouterr().out


def test_rounded_arithmetic_is_repeated_as_it_was(
    case: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, exhibit, weights = case
    full = recorded(folder)
    rounded = full.software.model_copy(update={"precision": "bfloat16"})
    listed(folder, full.model_copy(update={"software": rounded}))
    asked: list[object] = []

    def analyze(_path: Path, _folder: Path, **options: object) -> Analysis:
        asked.append(options.get("backend"))
        return recorded(folder)

    monkeypatch.delenv("REELPROOF_BACKEND", raising=False)
    monkeypatch.setattr(reanalysis, "analyze_confined", analyze)
    command = ["verify", str(folder), "--reanalyse", str(exhibit), "--model", str(weights)]
    assert main(command) == 0
    monkeypatch.setenv("REELPROOF_BACKEND", "torch")
    assert main(command) == 0
    assert asked == ["openvino-bf16", None]

    capsys.readouterr()
    in_full = full.software.model_copy(update={"precision": "float32, as torch has it"})
    monkeypatch.setattr(
        reanalysis,
        "analyze_confined",
        lambda path, folder, **options: full.model_copy(update={"software": in_full}),
    )
    assert main(command) == 1
    output = capsys.readouterr().out
    assert "NOT REPEATED: 1 found" in output and "computed in bfloat16, and here in float32" in output
    assert "computed otherwise: pictures" in output


def test_a_pipe_as_exhibit_is_refused(
    case: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _, weights = case
    os.mkfifo(pipe := folder.with_name("pipe"))
    assert main(["verify", str(folder), "--reanalyse", str(pipe), "--model", str(weights)]) == 2
    assert "It is a device or a pipe, not a file. Name the exhibit" in capsys.readouterr().err


@pytest.fixture
def with_pictures(case: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command that repeats the analysis; the same with pictures is what comes out."""
    folder, exhibit, weights = case
    made = recorded(folder)
    build(folder, sha256=made.media.sha256)
    analysis = build(folder, sha256=made.media.sha256).model_copy(update={"model": made.model})
    shutil.copytree(folder / "overlays", aside := folder.with_name("aside"))
    listed(folder, analysis)

    def analyze(_path: Path, images: Path, **_options: object) -> Analysis:
        shutil.copytree(aside, images / "overlays")
        return analysis

    monkeypatch.setattr(reanalysis, "analyze_confined", analyze)
    return ["verify", str(folder), "--reanalyse", str(exhibit), "--model", str(weights)]


def listed(folder: Path, analysis: Analysis) -> None:
    """Write the analysis and a manifest that fits all there is."""
    (folder / "analysis.json").write_text(analysis.to_json())
    paths = [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]
    names = sorted(path for path in paths if not path.startswith("manifest"))
    manifest = new_manifest(analysis, "result").model_copy(update={"files": file_entries(folder, names)})
    for name, data in manifest_files(manifest).items():
        (folder / name).write_bytes(data)


def test_pictures_are_compared_with_those_made_again(
    case: tuple[Path, Path, Path], with_pictures: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = case[0]
    assert main(with_pictures) == 0
    assert "and 27 pictures." in capsys.readouterr().out
    path = folder / "overlays" / "A1-1.png"
    cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[::-1, ::-1])
    listed(folder, recorded(folder))
    assert main(with_pictures) == 1
    output = capsys.readouterr().out
    assert "The findings differ." in output and "DOES NOT FIT: 1 found" in output
    assert "overlays/A1-1.png: does not fit: made again, it shows something else" in output


def test_a_note_names_peaks_that_could_not_be_compared(
    case: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, exhibit, weights = case
    there = recorded(folder)
    segment, *others = there.segments
    first, *rest = segment.peaks
    moved = segment.model_copy(update={"peaks": (first.model_copy(update={"pts": first.pts + 512}), *rest)})
    here = there.model_copy(update={"segments": (moved, *others)})

    def notes(made: Analysis) -> str:
        monkeypatch.setattr(reanalysis, "analyze_confined", lambda path, folder, **options: made)
        results = CheckResults()
        reanalyse(there, exhibit, weights, results)
        return " ".join(results.notes)

    assert "what hiding the hottest area changes, of peak 1 of segment A1:" in notes(here)
    assert notes(there) == ""


def test_forged_grounds_do_not_fit(
    case: tuple[Path, Path, Path], with_pictures: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = case[0]
    there = recorded(folder)
    forged = there.model_copy(update={"reason": "It is certain.", "model": there.model})
    listed(folder, forged)
    assert main(with_pictures) == 1
    assert "analysed again, the reason is" in capsys.readouterr().out
    media = there.media.model_copy(update={"has_sound": not there.media.has_sound})
    listed(folder, there.model_copy(update={"media": media}))
    assert main(with_pictures) == 1
    assert "analysis.json: does not fit: read again, of the file, has sound" in capsys.readouterr().out
    software = there.software.model_copy(update={"libraries": (Library(name="FFmpeg", version="7"),)})
    listed(folder, there.model_copy(update={"media": media, "software": software}))
    assert main(with_pictures) == 1
    output = capsys.readouterr().out
    assert "NOT REPEATED: 1 found" in output and "Other versions of libraries" in output


def test_another_fusion_is_refused_before_anything_is_computed(
    case: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    card, weights = load_card(None)
    second = read_second_look(card, weights)
    assert second is not None
    there = recorded(case[0])
    monkeypatch.setattr(reanalysis, "analyze_confined", lambda path, folder, **options: there)

    def repeated(look: SecondLookModel) -> None:
        model = card.as_model().model_copy(update={"second_look": look})
        reanalyse(there.model_copy(update={"model": model}), case[1], weights, CheckResults())

    repeated(second.as_model())
    repeated(second.as_model().model_copy(update={"card_sha256": None}))  # before 0.2
    refitted = second.model_copy(update={"reserve": second.reserve + 0.1}).as_model()
    with pytest.raises(ReanalysisError, match=f"where {refitted.card_sha256} is recorded"):
        repeated(refitted)
    with pytest.raises(ReanalysisError, match="is not here"):
        repeated(second.as_model().model_copy(update={"sha256": "c" * 64}))


def test_problems_are_printed_if_the_analysis_cannot_be_repeated(
    case: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, exhibit, _ = case
    command = ["verify", str(folder), "--reanalyse", str(exhibit)]
    make = f"Reelproof {recorded(folder).software.reelproof} made the analysis"

    assert main(command) == 2
    output = capsys.readouterr()
    assert "Everything that could be checked fits." in output.out and "Everything fits" not in output.out
    assert "is not here" in output.err and make in output.err

    (folder / "overlays" / "more.png").parent.mkdir(exist_ok=True)
    (folder / "overlays" / "more.png").write_bytes(b"not listed")
    assert main(command) == 1
    output = capsys.readouterr()
    assert "DOES NOT FIT: 1 found" in output.out and "overlays/more.png: not listed" in output.out
    assert "is not here" in output.err and make in output.err

    assert main([*command, "--format", "json"]) == 1
    output = capsys.readouterr()
    values = json.loads(output.out)
    assert (values["fits"], values["reanalysis"]) == (False, None)
    assert "is not here" in values["refused"] and "is not here" in output.err


@pytest.mark.parametrize(("sha256", "name"), RETIRED_MODELS.items())
def test_a_retired_model_is_named_with_what_to_do(
    case: tuple[Path, Path, Path], sha256: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, exhibit, _ = case
    there = recorded(folder)
    # In results of 0.1 the second generation is called by the default's name.
    for recorded_name in (name, "reelproof"):
        model = there.model.model_copy(update={"name": recorded_name, "sha256": sha256})
        listed(folder, there.model_copy(update={"model": model}))
        assert main(["verify", str(folder)]) == 0
        assert main(["verify", str(folder), "--reanalyse", str(exhibit)]) == 2
        output = capsys.readouterr().err
        assert f"{name} is no longer part of Reelproof" in output and "Install release 0.2" in output
        assert f"{name}.safetensors from that release into the folder models" in output
    model = there.model.model_copy(update={"sha256": sha256})
    beside = OtherModel.model_construct(**dict(there) | {"model": model})
    joint = Joint(rule=JointRule.ANY, verdict=there.verdict)
    several = there.model_copy(update={"others": (beside,), "joint": joint})
    with pytest.raises(ReanalysisError, match=f"{name} is no longer part"):
        reanalysis._models(several, exhibit, [None])


def test_another_network_of_voices_is_noted_and_named_by_the_manifest(case: tuple[Path, Path, Path]) -> None:
    here = read_voice_card()
    analysis = recorded(case[0])

    def with_voice(sha256: str) -> Analysis:
        heard = voice()
        model = heard.model.model_copy(update={"name": here.name, "sha256": sha256})
        return analysis.model_copy(update={"voice": heard.model_copy(update={"model": model})})

    installed, other, none = (CheckResults() for _ in range(3))
    check_voice_model(with_voice(here.sha256), installed)
    check_voice_model(with_voice("c" * 64), other)
    check_voice_model(analysis, none)
    assert "is the network that judged" in installed.facts["network of voices"] and not installed.notes
    assert "another version of the network of voices" in other.notes[0] and not other.problems
    assert (none.facts, none.notes) == ({}, [])
    for changed in (with_voice("c" * 64), analysis):  # another one, or the voices removed
        made = new_manifest(with_voice(here.sha256), "result")
        (case[0] / "analysis.json").write_text(changed.to_json())
        entries = file_entries(case[0], ["analysis.json"])
        for name, data in manifest_files(made.model_copy(update={"files": entries})).items():
            (case[0] / name).write_bytes(data)
        assert [problem.why for problem in verify(case[0]).results.problems] == [
            "the manifest names another network of voices"
        ]


def test_another_exhibit_and_a_missing_model_are_reported(
    case: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, exhibit, weights = case
    assert main(["verify", str(folder), "--reanalyse", str(exhibit)]) == 2
    assert "Name it with --model" in capsys.readouterr().err
    exhibit.write_bytes(b"another exhibit")
    assert main(["verify", str(folder), "--reanalyse", str(exhibit), "--model", str(weights)]) == 1
    assert "clip.mp4: does not fit" in capsys.readouterr().out


@pytest.mark.slow
def test_the_sample_is_reanalysed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip, folder = tmp_path / "sample.mp4", tmp_path / "result"
    make_sample(clip)
    folder.mkdir()
    write_report(detector.analyze(clip, images=folder), folder)
    assert main(["verify", str(folder), "--reanalyse", str(clip)]) == 0
    assert "The findings agree." in capsys.readouterr().out
