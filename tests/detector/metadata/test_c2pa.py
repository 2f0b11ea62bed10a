"""Content Credentials on media signed here: valid, broken, unsigned."""

from __future__ import annotations

import builtins
import datetime
import io
import json
import socket
import subprocess
import sys
from pathlib import Path

import c2pa
import numpy as np
import PIL.Image
import pytest
from clips import numbered, write_clip
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from detector.metadata.c2pa import OFFLINE, read_store
from detector.schema.metadata import Credentials

MP4 = "mov,mp4,m4a,3gp,3g2,mj2"
CLAIM = {
    "claim_generator_info": [{"name": "Test Maker", "version": "1.0"}],
    "title": "made for a test",
    "assertions": [
        {
            "label": "c2pa.actions",
            "data": {
                "actions": [
                    {
                        "action": "c2pa.created",
                        "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture",
                    },
                    {"action": "c2pa.color_adjustments"},
                ]
            },
        }
    ],
}


def read_credentials(data: bytes, container: str) -> Credentials:
    return read_store(io.BytesIO(data), container)[0]


def make_certificates() -> tuple[bytes, bytes]:
    """A chain of two, PEM, and the key of its first."""
    now = datetime.datetime.now(datetime.UTC)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def name(common: str) -> x509.Name:
        parts = {NameOID.COMMON_NAME: common, NameOID.ORGANIZATION_NAME: "Test Organisation"}
        return x509.Name([x509.NameAttribute(oid, text) for oid, text in parts.items()])

    def certificate(subject: str, public: ec.EllipticCurvePublicKey, is_root: bool) -> x509.Certificate:
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "encipher_only", "decipher_only"), False
        )  # fmt: skip
        builder = (
            x509.CertificateBuilder(name("Test Root"), name(subject), public, x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(is_root, None), True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=not is_root, key_cert_sign=is_root, crl_sign=is_root, **usage
                ),
                True,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
        )
        if not is_root:
            issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
            mail = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
            builder = builder.add_extension(issuer, False).add_extension(mail, False)
        return builder.sign(root_key, hashes.SHA256())

    pem = serialization.Encoding.PEM
    chain = [certificate("Test Camera", key.public_key(), False)]
    chain.append(certificate("Test Root", root_key.public_key(), True))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return b"".join(member.public_bytes(pem) for member in chain), private


def sign(data: bytes, kind: str, remote: str | None = None) -> bytes:
    chain, key = make_certificates()
    info = c2pa.C2paSignerInfo(b"es256", chain, key, None)
    out = io.BytesIO()
    with c2pa.Signer.from_info(info) as signer, c2pa.Builder(json.dumps(CLAIM)) as builder:
        if remote:
            builder.set_no_embed()
            builder.set_remote_url(remote)
        builder.sign(signer, kind, io.BytesIO(data), out)
    return out.getvalue()


@pytest.fixture(scope="module")
def jpeg() -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(np.array(numbered(5))).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was asked for")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_valid_photo(jpeg: bytes) -> None:
    credentials = read_credentials(sign(jpeg, "image/jpeg"), "jpeg_pipe")
    assert (credentials.checked, credentials.found, credentials.valid, credentials.trusted) == (
        True,
        True,
        True,
        False,
    )
    assert credentials.failed == ()
    assert (credentials.signer, credentials.issuer) == ("Test Camera", "Test Organisation")
    assert credentials.generator == "Test Maker 1.0"
    assert credentials.actions == ("c2pa.created, digitalCapture", "c2pa.color_adjustments")
    assert credentials.library is not None and credentials.library.startswith("c2pa-python 0.")


def test_valid_video(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", map(numbered, range(10))).read_bytes()
    data = sign(clip, "video/mp4")
    assert read_credentials(data, MP4).valid is True
    broken = bytearray(data)
    broken[broken.index(b"mdat") + 300] ^= 1
    credentials = read_credentials(broken, MP4)
    assert (credentials.found, credentials.valid) == (True, False)
    assert any("ash" in check and "mismatch" in check for check in credentials.failed)


def test_changed_byte_is_reported(jpeg: bytes) -> None:
    data = bytearray(sign(jpeg, "image/jpeg"))
    data[-300] ^= 1
    credentials = read_credentials(data, "jpeg_pipe")
    assert (credentials.found, credentials.valid, credentials.trusted) == (True, False, False)
    assert any(check.startswith("assertion.dataHash.mismatch") for check in credentials.failed)
    assert credentials.signer == "Test Camera"


def test_every_fortieth_byte_of_the_manifest(jpeg: bytes) -> None:
    """A changed byte is never passed over: not valid, or no longer found; and nothing raises."""
    data = sign(jpeg, "image/jpeg")
    start = data.index(b"jumb")
    for at in range(start, start + 12_000, 400):
        changed = bytearray(data)
        changed[at] ^= 0x10
        credentials = read_credentials(changed, "jpeg_pipe")
        assert credentials.valid is not True or not credentials.found, at


def test_a_file_without_a_manifest(jpeg: bytes) -> None:
    credentials = read_credentials(jpeg, "jpeg_pipe")
    assert (credentials.checked, credentials.found, credentials.valid, credentials.note) == (
        True,
        False,
        None,
        None,
    )


def test_a_manifest_elsewhere_is_not_fetched(jpeg: bytes) -> None:
    address = "https://manifests.invalid/a.c2pa"
    credentials = read_credentials(sign(jpeg, "image/jpeg", remote=address), "jpeg_pipe")
    assert (credentials.checked, credentials.found, credentials.valid) == (True, False, None)
    assert credentials.remote == address
    assert credentials.note is not None and "not fetched" in credentials.note


def test_types_without_credentials() -> None:
    credentials = read_credentials(b"anything", "matroska,webm")
    assert not credentials.checked and credentials.note is not None


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xeb\x00\x10JP" + b"\0" * 30, b"x" * 5000])
def test_no_photo_at_all(data: bytes) -> None:
    assert read_credentials(data, "jpeg_pipe").valid is not True


def test_missing_library_is_reported(monkeypatch: pytest.MonkeyPatch, jpeg: bytes) -> None:
    import_ = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name == "c2pa":
            raise ImportError("no c2pa here")
        return import_(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    credentials = read_credentials(jpeg, "jpeg_pipe")
    assert not credentials.checked and "Install it" in str(credentials.note)


def test_settings_name_no_network() -> None:
    assert OFFLINE["verify"]["remote_manifest_fetch"] is OFFLINE["verify"]["ocsp_fetch"] is False
    assert OFFLINE["core"]["allowed_network_hosts"] == []


@pytest.mark.parametrize("module", ["detector", "detector.schema.analysis", "detector.metadata.exhibit"])
def test_library_is_imported_on_demand(module: str) -> None:
    code = f"import sys, {module}; sys.exit('c2pa' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
