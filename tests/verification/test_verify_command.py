"""The command that verifies: what it prints, refuses and takes for what."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest
from damaged_files import flipped, problems
from evidence import contents, custody

from cli.reports.main import main
from reports.bundle import review_bundle
from reports.bundle.manifest import new_manifest
from reports.signing.keys import SigningKey
from reports.signing.pdf_signature import sign_pdf
from verification.verify import VerifyError, verify


def test_the_command(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(bundle)]) == 0
    assert "Everything fits." in capsys.readouterr().out
    path = tmp_path / "b.zip"
    data = bundle.read_bytes()
    path.write_bytes(flipped(data, data.index(b"12/26")))
    assert main(["verify", str(path), "--format", "json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["fits"] is False and report["what"] == "bundle"
    assert {problem["file"] for problem in report["problems"]} == {"case.json"}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nowhere"], "no such file or folder"),
        ([__file__], "no review bundle"),
        (["RESULT/analysis.json"], "name the folder"),
        (["RESULT/manifest.json"], "name the folder"),
        (
            ["CASE"],
            "is a whole case: it is no review bundle and no folder that analyze --out wrote. Verify each",
        ),
        (["RESULT/overlays"], "holds no manifest.json"),
        (["RESULT/custody.json", "--model", "nowhere.safetensors"], "nothing to compare with"),
        (["BUNDLE", "--trust", "nowhere.pem"], "nowhere.pem"),
        (["BUNDLE", "--trust", __file__], "holds no certificate"),
        (["BUNDLE", "--model", "nowhere.safetensors"], "no such file"),
        (["BUNDLE", "--reanalyse", "nowhere.mp4"], "Name the exhibit"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    bundle: Path, folder: Path, arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    case = folder.with_name("case.zip")
    with zipfile.ZipFile(case, "w") as archive:
        archive.writestr("case.json", "{}")
        archive.write(bundle, f"analyses/{'c' * 32}.zip")
    for name, path in (("BUNDLE", bundle), ("RESULT", folder), ("CASE", case)):
        arguments = [argument.replace(name, str(path)) for argument in arguments]
    assert main(["verify", *arguments]) == 2
    error = capsys.readouterr().err
    assert reason in error and error.count("\n") == 1


def test_a_demanded_signature_must_exist(bundle: Path, key_files: tuple[Path, Path, Path]) -> None:
    assert main(["verify", str(bundle), "--trust", str(key_files[2])]) == 1


def test_a_swapped_model_is_named(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "efficientnet_lite0_faces.safetensors"
    other.write_bytes(b"other weights")
    assert main(["verify", str(bundle), "--model", str(other)]) == 1
    assert "efficientnet_lite0_faces.safetensors: does not fit" in capsys.readouterr().out
    assert main(["verify", str(bundle), "--model", str(tmp_path)]) == 1
    assert "not looked at" not in capsys.readouterr().out
    assert main(["verify", str(bundle), "--model", str(other), "--model", "surplus.onnx"]) == 1
    assert "Note: --model surplus.onnx was not looked at" in capsys.readouterr().out


def test_a_bundle_with_only_a_signed_report_is_described_as_such(
    tmp_path: Path, key: SigningKey, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever changes its pictures takes the manifest's signature away and leaves the signed report."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    analysis, files = contents(pictures)
    report = files["report.pdf"]
    assert isinstance(report, bytes)
    files["report.pdf"] = sign_pdf(report, key)
    only = "Only report.pdf is signed; all other files could have been changed."
    for signer, end in ((None, only), (key, "Everything fits.")):
        path = tmp_path / "bundle.zip"
        review_bundle.write_bundle(
            path, files, new_manifest(analysis, "bundle", analysis_id="c" * 32), signer
        )
        assert main(["verify", str(path)]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == end
        assert main(["verify", str(path), "--format", "json"]) == 0
        assert (only in json.loads(capsys.readouterr().out)["notes"]) is (signer is None)


def test_a_bundle_cannot_write_its_own_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Onto a terminal, by names of files in it."""
    signature_line = "  signature of manifest.sig  by the Police"
    forged = (
        f"clip.mp4\n{signature_line}\nEverything fits.\n{' ' * 200}{signature_line}\x1b[8m\u202e\x9b8m\u2028"
    )
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    analysis, files = contents(pictures, pdf=False)
    analysis = analysis.model_copy(update={"media": analysis.media.model_copy(update={"file": forged})})
    files["analysis.json"] = analysis.to_json().encode()
    path = tmp_path / "bundle.zip"
    review_bundle.write_bundle(path, files, new_manifest(analysis, "bundle", analysis_id="c" * 32))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("x\x1b[2J\nEverything fits.", b"")
    assert main(["verify", str(path)]) == 1
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert not any(line.strip().startswith(("signature", "Everything")) for line in lines)
    assert r"clip.mp4\n signature of manifest.sig by the Police\nEverything fits." in printed
    assert all(line.isprintable() for line in lines)
    assert main(["verify", str(path), "--format", "json"]) == 1
    printed = capsys.readouterr().out
    assert all(line.isprintable() for line in printed.splitlines())
    assert forged in json.loads(printed)["facts"]["exhibit"]


def test_refusals_escape_text_from_the_bundle(
    light: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(tmp_path / "\x1b[8m.zip")]) == 2
    assert r"\x1b[8m.zip: there is no such file" in capsys.readouterr().err


def test_folders_without_a_result_are_refused(tmp_path: Path) -> None:
    """Nothing of them can be verified, which is another answer than that they were changed."""
    for _ in range(2):
        with pytest.raises(VerifyError, match="holds no manifest.json"):
            verify(tmp_path)
        shutil.copy(__file__, tmp_path)
    (tmp_path / "manifest.sha256").write_text("")
    assert ("manifest.json", "missing") in {(problem.file, problem.kind) for problem in problems(tmp_path)}


def test_a_damaged_log_is_recognised_as_a_log(tmp_path: Path) -> None:
    """By its name, or by what it says."""
    for name, data in (("custody.json", b"{}"), ("log.json", custody("d" * 64)[:-9])):
        (tmp_path / name).write_bytes(data)
        done = verify(tmp_path / name)
        assert done.kind == "log" and [problem.kind for problem in done.results.problems] == ["changed"]
