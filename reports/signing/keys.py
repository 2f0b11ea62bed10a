"""Signing keys from PKCS#12 files, and detached CMS signatures of manifests."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12
from cryptography.x509 import Certificate, ExtensionNotFound, KeyUsage, Name
from cryptography.x509.oid import NameOID

from detector import timestamps
from reports.errors import ReportError

if TYPE_CHECKING:
    from pyhanko.sign.signers import SimpleSigner
    from pyhanko.sign.timestamps import TimeStamper

DIGEST = "sha256"
PROGRAM = "Reelproof"  # named in signatures of PDFs
_LARGEST = 1_000_000  # of a key file
_LEAST_RSA = 2048
_Keys = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
T = TypeVar("T")


class SigningError(ReportError):
    """Something cannot be signed; the message tells what to do."""


@dataclass(frozen=True)
class SigningKey:
    """A key with its certificate, ready to sign; :func:`read_key` makes one."""

    name: str
    certificate: Certificate
    _file: bytes = field(repr=False)
    _password: bytes | None = field(repr=False)
    timestamper: TimeStamper | None = field(default=None, repr=False)  # of an authority

    @cached_property
    def signer(self) -> SimpleSigner:
        """The pyHanko signer; pyHanko takes a second to load."""
        from pyhanko.sign.signers import SimpleSigner

        return SimpleSigner.load_pkcs12_data(self._file, other_certs=[], passphrase=self._password)

    @property
    def certificate_sha256(self) -> str:
        """SHA-256 of the certificate."""
        return sha256_of_certificate(self.certificate)

    @property
    def self_signed(self) -> bool:
        """Whether the signer issued the certificate."""
        return self.certificate.issuer == self.certificate.subject

    @property
    def issuer(self) -> str:
        """Name of the certificate's issuer."""
        return name_in(self.certificate.issuer)

    def sign(self, data: bytes) -> bytes:
        """Return a detached CMS signature (RFC 5652) over ``data``, DER, with the attributes of CAdES-BES.

        With an authority it contains a timestamp (CAdES-T).
        """
        from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes

        attributes = PdfCMSSignedAttributes(signing_time=datetime.now(UTC).replace(microsecond=0))
        signature = run(
            self.signer.async_sign_general_data(
                data,
                DIGEST,
                detached=True,
                use_cades=True,
                timestamper=self.timestamper,
                signed_attr_settings=attributes,
            )
        )
        return bytes(signature.dump())


def sha256_of_certificate(certificate: Certificate) -> str:
    """Return the SHA-256 of a certificate's DER form."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def name_in(name: Name) -> str:
    """Return common name, else organisation, else the whole of a certificate's subject or issuer."""
    for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        if attributes := name.get_attributes_for_oid(oid):
            return " ".join(str(attributes[0].value).split())
    return name.rfc4514_string() or "somebody unnamed"


def run(task: Coroutine[Any, Any, T]) -> T:
    """Run one of pyHanko's coroutines."""
    return asyncio.run(task)


def read_key(
    path: Path, password_file: Path | None = None, timestamper: TimeStamper | None = None
) -> SigningKey:
    """Read the key in the PKCS#12 file ``path``; its password is the first line of ``password_file``.

    With a ``timestamper`` of :func:`reports.signing.timestamps.authority` its signatures contain timestamps.

    Raise :class:`SigningError` for an invalid file, a wrong password, a key without certificate or of an
    unsupported kind, and a certificate that is not valid now.
    """
    data, password = _read(path, "key"), _password(password_file)
    try:
        key, certificate, others = pkcs12.load_key_and_certificates(data, password)
    except ValueError as error:
        if "password" in str(error).lower():
            hint = "is wrong" if password else "is needed: name a file that holds it"
            raise SigningError(f"{path}: the key's password {hint}.") from None
        raise SigningError(f"{path} is no PKCS#12 file (.p12 or .pfx) that can be read.") from None
    if key is None:
        raise SigningError(f"{path} holds no private key. Export it together with its certificate.")
    if certificate is None:
        raise SigningError(f"{path} holds a key without its certificate. Export both into one file.")
    if not isinstance(key, _Keys):
        raise SigningError(f"{path}: a key of this kind cannot sign. Use RSA, ECDSA or Ed25519.")
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < _LEAST_RSA:
        raise SigningError(f"{path}: an RSA key of {key.key_size} bits is too weak; {_LEAST_RSA} are needed.")
    _refuse_unfit(certificate, path)
    return SigningKey(name_in(certificate.subject), certificate, data, password, timestamper)


def _refuse_unfit(certificate: Certificate, path: Path) -> None:
    now = datetime.now(UTC)
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > last:
        raise SigningError(f"{path}: the certificate expired on {timestamps.day(last)}. Get a new one.")
    if now < first:
        raise SigningError(f"{path}: the certificate is not valid before {timestamps.day(first)}.")
    try:
        usage = certificate.extensions.get_extension_for_class(KeyUsage).value
    except (ExtensionNotFound, ValueError):
        return
    if not (usage.digital_signature or usage.content_commitment):
        raise SigningError(f"{path}: the certificate does not allow signing documents. Use one that does.")


def _password(path: Path | None) -> bytes | None:
    if path is None:
        return None
    return _read(path, "password").split(b"\n", 1)[0].rstrip(b"\r") or None


def _read(path: Path, description: str) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    except OSError as error:
        raise SigningError(f"{path}: the {description} file cannot be read ({error.strerror}).") from None
    if len(data) > _LARGEST:
        raise SigningError(f"{path} is too large for a {description} file.")
    return data
