"""Keys and certificates made for tests, as PKCS#12 files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    pkcs12,
)
from cryptography.x509.oid import NameOID

PASSWORD = "für Elise"


def make_key(
    folder: Path,
    *,
    name: str = "Ada Examiner",
    kind: str = "ec",
    days: tuple[int, int] = (-1, 365),
    password: str = PASSWORD,
    certificate: bool = True,
    usage: bool = True,
) -> tuple[Path, Path, Path]:
    """A self-signed key: the paths of its PKCS#12 file, its password's and its certificate's (PEM)."""
    key = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(
            x509.KeyUsage(usage, usage, not usage, False, False, False, False, False, False), critical=True
        )
        .sign(key, hashes.SHA256())
    )
    protection = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    pfx = pkcs12.serialize_key_and_certificates(b"key", key, made if certificate else None, None, protection)
    paths = folder / "key.p12", folder / "password.txt", folder / "certificate.pem"
    for path, data in zip(
        paths, (pfx, password.encode() + b"\n", made.public_bytes(Encoding.PEM)), strict=True
    ):
        path.write_bytes(data)
    return paths
