"""What a signature may hold, cover and allow: more than that it is valid."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import cms, core, crl
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12
from evidence import small_pdf
from keys import PASSWORD, make_key
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko.sign.fields import MDPPerm

from reports.render import pdf_conformance
from reports.signing.keys import SigningKey, read_key
from verification.checks import CheckResults
from verification.signatures import _hole, check_detached, check_embedded
from verification.trusted_time import Trust, is_der

Keys = tuple[Path, Path, Path]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return make_key(tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="module")
def key(keys: Keys) -> SigningKey:
    return read_key(*keys[:2])


def revoked(keys: Keys) -> bytes:
    """A revocation list of the signer's own, DER."""
    stored = pkcs12.load_pkcs12(keys[0].read_bytes(), PASSWORD.encode())
    certificate = stored.cert.certificate
    now = datetime.now(UTC)
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(certificate.subject)
        .last_update(now)
        .next_update(now + timedelta(days=1))
        .sign(stored.key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.DER)


def test_a_revocation_list_that_was_put_in(keys: Keys, key: SigningKey) -> None:
    """No signature covers it."""
    data = b"manifest"
    content = cms.ContentInfo.load(key.sign(data))
    content["content"]["crls"] = [cms.RevocationInfoChoice("crl", crl.CertificateList.load(revoked(keys)))]
    for signature, kinds in ((key.sign(data), []), (content.dump(force=True), ["cannot be read"])):
        results = CheckResults()
        check_detached("manifest.sig", data, signature, Trust(), results)
        assert [problem.kind for problem in results.problems] == kinds


def signed_again(data: bytes, key: SigningKey, name: str, **more: object) -> bytes:
    writer = IncrementalPdfFileWriter(io.BytesIO(data))
    fields.append_signature_field(writer, fields.SigFieldSpec(name))
    meta = signers.PdfSignatureMetadata(field_name=name, md_algorithm="sha256", **more)
    return bytes(signers.PdfSigner(meta, signer=key.signer).sign_pdf(writer).getvalue())


def test_a_signature_behind_one_that_allows_no_change(
    key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else was added, but whoever signed first certified that nothing would be."""
    monkeypatch.setattr(signers.PdfSigner, "_enforce_certification_constraints", lambda *_: None)
    report = small_pdf({"scores.csv": b"time,score\n"})
    for allowed, kinds in ((MDPPerm.FILL_FORMS, []), (MDPPerm.NO_CHANGES, ["changed"])):
        first = signed_again(report, key, "First", certify=True, docmdp_permissions=allowed)
        results = CheckResults()
        both = signed_again(first, key, "Second")
        check_embedded("report.pdf", both, pdf_conformance.covered_length(both), Trust(), results)
        assert [problem.kind for problem in results.problems] == kinds


def test_signatures_cover_the_file_from_its_start(key: SigningKey) -> None:
    signature = key.sign(b"")
    hole = b"<" + signature.hex().upper().encode() + b"00>"
    data, behind = b"%PDF-1.7" + hole + b"%%EOF", 8 + len(hole)
    assert _hole(data, [0, 8, behind, 5]) == signature
    with pytest.raises(ValueError, match="no signature of Reelproof"):
        _hole(data, [1, 8, behind, 5])


def test_no_part_of_a_signature_is_encoded_twice(key: SigningKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each level that is would double what those inside it take."""
    encoded: list[core.Asn1Value] = []
    encode = core.SetOf._set_contents

    def counted(value: core.SetOf, force: bool = False) -> None:
        encoded.append(value)
        encode(value, force)

    monkeypatch.setattr(core.SetOf, "_set_contents", counted)
    signature = key.sign(b"manifest")
    content = cms.ContentInfo.load(signature, strict=True)
    encoded.clear()
    assert is_der(content, signature)
    assert len(encoded) > 5 and len(encoded) == len({id(entry) for entry in encoded})
