"""Signing: what holds of a signed PDF, what can be checked by others, and what is refused in one line."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from analyses import Written
from evidence import small_bundle, small_pdf, small_result
from keys import make_key
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from weasyprint import HTML

from cli.reports.main import main
from reports.render import pdf_conformance
from reports.render.pdf_conformance import PLACEHOLDER
from reports.render.pdf_conformance import with_digest as sealed_pdf
from reports.signing.keys import SigningError, SigningKey, read_key
from reports.signing.pdf_signature import sign_pdf
from verification.checks import CheckResults
from verification.signatures import check_embedded
from verification.trusted_time import Trust, read_trust
from verification.verify import verify

pytestmark = pytest.mark.usefixtures("unconfined")

Keys = tuple[Path, Path, Path]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return make_key(tmp_path_factory.mktemp("key"), kind="rsa", name="Zoë Müller-映像")


@pytest.fixture(scope="module")
def report(written: Written) -> bytes:
    """A whole report, as Reelproof makes it."""
    return (written.folder / "report.pdf").read_bytes()


@pytest.fixture(scope="module")
def signed(report: bytes, keys: Keys) -> bytes:
    return sign_pdf(report, read_key(*keys[:2]), reason="Case 12/26", place="Bern")


def test_the_report_before_the_signature_stays_byte_by_byte(report: bytes, signed: bytes) -> None:
    assert signed.startswith(report) and pdf_conformance.covered_length(signed) == len(report)


def test_the_visible_signature(report: bytes, signed: bytes) -> None:
    with pypdfium2.PdfDocument(signed) as document, pypdfium2.PdfDocument(report) as before:
        assert len(document) == len(before)
        document.init_forms()
        pairs = [(document[n].render(), before[n].render()) for n in range(len(document))]
        changed = [n for n, (a, b) in enumerate(pairs) if a.to_pil().tobytes() != b.to_pil().tobytes()]
    assert len(changed) == 1  # on one page


@pytest.mark.parametrize("pages", [1, 3])
def test_a_report_without_room_is_signed_invisibly(pages: int, keys: Keys) -> None:
    """Each page is full to its foot."""
    style = "<style>@page { margin: 0 } div { height: 296mm; background: #ccc; break-after: page }</style>"
    text = f"<html lang=en><title>t</title>{style}{'<div><p>full</div>' * pages}"
    made = HTML(string=text).write_pdf(pdf_variant="pdf/ua-1", pdf_identifier=PLACEHOLDER, full_fonts=False)
    full = sealed_pdf(bytes(made))
    signed = sign_pdf(full, read_key(*keys[:2]), reason="Case 12/26")
    results = CheckResults()
    covered = pdf_conformance.covered_length(signed)
    assert covered == len(full) and signed.startswith(full)
    assert check_embedded("report.pdf", signed, covered, Trust(read_trust([keys[2]])), results)
    assert not results.problems
    with pypdfium2.PdfDocument(signed) as document, pypdfium2.PdfDocument(full) as before:
        document.init_forms()
        for after, unsigned in zip(document, before, strict=True):
            assert after.render().to_pil().tobytes() == unsigned.render().to_pil().tobytes()
    with pikepdf.open(io.BytesIO(signed)) as pdf:
        field = pdf.Root.AcroForm.Fields[0]
        assert "Zoë Müller-映像" in str(field.TU) and [float(side) for side in field.Rect] == [0] * 4
        assert int(field.F) & 4 and not int(field.F) & 2  # PDF/A: printed, not hidden


def test_metadata_conformance_and_tags_stay(report: bytes, signed: bytes) -> None:
    with pikepdf.open(io.BytesIO(report)) as before, pikepdf.open(io.BytesIO(signed)) as after:
        assert after.Root.Metadata.read_bytes() == before.Root.Metadata.read_bytes()  # PDF/A-3, PDF/UA
        assert dict(after.docinfo) == dict(before.docinfo)
        assert after.pdf_version == before.pdf_version and "/Version" not in after.Root
        assert after.Root.OutputIntents and dict(after.attachments).keys() == dict(before.attachments).keys()
        field = after.Root.AcroForm.Fields[0]
        assert "/NeedAppearances" not in after.Root.AcroForm and int(field.F) & 4 and not int(field.F) & 2
        assert "Zoë Müller-映像" in str(field.TU)  # what a screen reader says
        numbers = list(after.Root.StructTreeRoot.ParentTree.Nums)
        form = numbers[numbers.index(int(field.StructParent)) + 1]
        assert form.S == "/Form" and form.K.Obj.objgen == field.objgen and form.Alt == field.TU
        parent = form.P
        assert any(kid.objgen == form.objgen for kid in parent.K if isinstance(kid, pikepdf.Dictionary))
        page = after.pages[[page.objgen for page in after.pages].index(field.P.objgen)]
        assert page.Tabs == "/S"
        fonts = [o for o in after.objects if isinstance(o, pikepdf.Dictionary) and o.get("/Type") == "/Font"]
        for font in fonts:
            for descendant in font.get("/DescendantFonts", [font]):
                kinds = {"/FontFile", "/FontFile2", "/FontFile3"}
                assert kinds & set(descendant.FontDescriptor.keys()), font  # PDF/A: all are embedded


def test_a_token_is_verified_with_and_without_trust(signed: bytes, keys: Keys, tmp_path: Path) -> None:
    other = make_key(tmp_path)[2]
    for trust, wrong in ((), False), (read_trust([keys[2]]), False), (read_trust([other]), True):
        results = CheckResults()
        assert check_embedded(
            "report.pdf", signed, pdf_conformance.covered_length(signed), Trust(trust), results
        )
        assert bool(results.problems) is wrong
        assert "Zoë Müller-映像 (self-signed)" in results.facts["signature of report.pdf"]
        assert any("nothing here says" in note for note in results.notes) is not bool(trust)


def test_changes_after_signing_are_found(signed: bytes) -> None:
    middle, inside = len(signed) // 2, signed.rindex(b"/Contents <") + 200
    added = signed + b"\n1 0 obj\nnull\nendobj\n"
    cases = [added, *(signed[:at] + bytes([signed[at] ^ 1]) + signed[at + 1 :] for at in (middle, inside))]
    padding = signed.rindex(b"00>")
    cases.append(signed[:padding] + b"1" + signed[padding + 1 :])
    for data in cases:
        results = CheckResults()
        check_embedded("report.pdf", data, pdf_conformance.covered_length(data), Trust(), results)
        assert {problem.file for problem in results.problems} == {"report.pdf"}


def updated(
    data: bytes, *, painted: bool = False, noted: bool = False, key: SigningKey | None = None
) -> bytes:
    """What another program adds behind ``data``: paint on the first page, a note, its own signature."""
    writer = IncrementalPdfFileWriter(io.BytesIO(data))
    page = writer.find_page_for_modification(0)[0].get_object()
    if painted:
        paint = writer.add_object(generic.StreamObject(stream_data=b"0 0 600 800 re f"))
        page[pdf_name("/Contents")] = generic.ArrayObject([page.raw_get("/Contents"), paint])
    if noted:
        values = {"/Type": pdf_name("/Annot"), "/Subtype": pdf_name("/FreeText")}
        values |= {"/Rect": generic.ArrayObject(map(generic.FloatObject, (50, 400, 550, 700)))}
        note = generic.DictionaryObject({pdf_name(key): value for key, value in values.items()})
        page[pdf_name("/Annots")] = generic.ArrayObject([*page.get("/Annots", []), writer.add_object(note)])
    writer.update_container(page)
    if key is None:
        written = io.BytesIO()
        writer.write(written)
        return written.getvalue()
    fields.append_signature_field(writer, fields.SigFieldSpec("Second", on_page=0, box=(0, 0, 0, 0)))
    meta = signers.PdfSignatureMetadata(field_name="Second", md_algorithm="sha256")
    return bytes(signers.PdfSigner(meta, signer=key.signer).sign_pdf(writer).getvalue())


def verified(data: bytes, trust: Trust) -> CheckResults:
    results = CheckResults()
    check_embedded("report.pdf", data, pdf_conformance.covered_length(data), trust, results)
    return results


@pytest.mark.parametrize("change", ["painted", "noted"])
def test_additions_before_signing_are_refused(report: bytes, keys: Keys, change: str) -> None:
    """Alone, signed behind it, or together with the signature of another program: it is changed."""
    key = read_key(*keys[:2])
    changed = updated(report, **{change: True})
    with pytest.raises(SigningError, match="not as Reelproof made it"):
        sign_pdf(changed, key)
    signed_later = updated(changed, key=key)
    for data in (changed, signed_later, updated(report, **{change: True}, key=key)):
        kinds = [problem.kind for problem in verified(data, Trust(read_trust([keys[2]]))).problems]
        assert kinds == ["changed"]
    assert verified(updated(report, key=key), Trust()).problems == []


def test_a_report_may_have_more_signatures(report: bytes, signed: bytes, keys: Keys, tmp_path: Path) -> None:
    other = make_key(tmp_path)
    key = read_key(*other[:2])
    results = verified(updated(signed, key=key), Trust(read_trust([keys[2], other[2]])))
    assert results.problems == [] and results.signed == ["report.pdf"]
    assert [(name, fact.partition(" (")[0]) for name, fact in results.facts.items()] == [
        ("signature 1 of report.pdf", "by Zoë Müller-映像"),
        ("signature 2 of report.pdf", "by Ada Examiner"),
    ]
    for change in ("painted", "noted"):
        results = verified(updated(signed, **{change: True}, key=key), Trust())
        assert {problem.kind for problem in results.problems} == {"changed"}


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl here")
def test_others_can_check_the_signature_of_a_manifest(tmp_path: Path, keys: Keys) -> None:
    folder = small_result(tmp_path / "result", read_key(*keys[:2]))
    command = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-purpose", "any"]
    command += ["-in", "manifest.sig", "-content", "manifest.json", "-CAfile", str(keys[2])]
    checked = subprocess.run(command, cwd=folder, capture_output=True)
    assert checked.returncode == 0 and checked.stdout == (folder / "manifest.json").read_bytes()
    signature = json.loads(checked.stdout)["signature"]
    assert signature["signer"] == "Zoë Müller-映像" and signature["file"] == "manifest.sig"


def test_the_command_signs_a_folder(tmp_path: Path, keys: Keys, capsys: pytest.CaptureFixture[str]) -> None:
    folder = small_result(tmp_path / "result")
    options = ["--key", str(keys[0]), "--password-file", str(keys[1])]
    assert main(["sign", str(folder), *options]) == 0
    assert "self-signed" in capsys.readouterr().out
    done = verify(folder, read_trust([keys[2]]))
    assert done.results.problems == [] and done.results.signed == ["manifest.sig", "report.pdf"]
    assert main(["sign", str(folder), *options]) == 2
    assert "signed already" in capsys.readouterr().err
    (folder / "case.json").write_text("{}")
    assert main(["sign", str(folder), *options]) == 2
    assert "not as it was made. case.json" in capsys.readouterr().err


def test_the_command_signs_an_unpacked_bundle(tmp_path: Path, keys: Keys) -> None:
    """With all that lists its report; as it is where the authority gives no timestamp."""
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(small_bundle(tmp_path)) as archive:
        archive.extractall(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    command = ["sign", str(folder), "--key", str(keys[0]), "--password-file", str(keys[1])]
    assert main([*command, "--timestamp", "http://127.0.0.1:9/"]) == 2
    assert before == {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert main(command) == 0
    done = verify(folder, read_trust([keys[2]])).results
    assert done.problems == [] and done.signed == ["manifest.sig", "report.pdf"]
    listed = [entry["path"] for entry in json.loads((folder / "manifest.json").read_bytes())["files"]]
    assert listed[-1] == "sha256sums.txt" and listed[:-1] == sorted(listed[:-1])
    assert subprocess.run([sys.executable, "verify.py", "."], cwd=folder).returncode == 0
    assert subprocess.run(["sha256sum", "--check", "--quiet", "sha256sums.txt"], cwd=folder).returncode == 0


@pytest.mark.parametrize(
    ("made", "change", "reason"),
    [
        ({}, {"--password-file": "wrong.txt"}, "password is wrong"),
        ({}, {"--password-file": None}, "password is needed"),
        ({"password": ""}, {"--password-file": None}, ""),
        ({"days": (-9, -2)}, {}, "expired on"),
        ({"days": (2, 9)}, {}, "not valid before"),
        ({"certificate": False}, {}, "without its certificate"),
        ({"usage": False}, {}, "does not allow signing"),
        ({}, {"--key": "report.pdf"}, "no PKCS#12 file"),
        ({}, {"--key": "nowhere.p12"}, "cannot be read"),
        ({}, {"PATH": "nowhere.pdf"}, "no such file"),
        ({}, {"PATH": "wrong.txt"}, "This is no PDF"),
        ({}, {"PATH": "signed.pdf"}, "signed already"),
        ({}, {"PATH": "broken.pdf"}, "cannot be signed"),
        ({}, {"--reason": "x" * 121}, "at most 120 characters"),
        ({}, {"--out": "nowhere/x.pdf"}, "no such folder"),
    ],
)
def test_unsignable_files_are_refused(
    tmp_path: Path,
    made: dict[str, object],
    change: dict[str, str | None],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    make_key(tmp_path, **made)  # type: ignore[arg-type]
    Path("report.pdf").write_bytes(small_pdf({"scores.csv": b"x"}))
    Path("broken.pdf").write_bytes(b"%PDF-1.7\n")
    Path("wrong.txt").write_text("wrong\n")
    options: dict[str, str | None] = {"--key": "key.p12", "--password-file": "password.txt"} | change
    if options.get("PATH") == "signed.pdf":
        assert main(["sign", "report.pdf", "--key", "key.p12", "--password-file", "password.txt"]) == 0
        Path("report-signed.pdf").rename("signed.pdf")
    path = options.pop("PATH", "report.pdf") or ""
    given = [part for name, value in options.items() if value is not None for part in (name, value)]
    assert main(["sign", path, *given]) == (2 if reason else 0)
    error = capsys.readouterr().err
    assert reason in error and error.count("\n") == bool(reason)
