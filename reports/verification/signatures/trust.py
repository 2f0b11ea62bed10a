"""Whose certificates a verification believes, and what of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko_certvalidator import ValidationContext

from reports.errors import ReportError

Certificates = Sequence[x509.Certificate]


class TrustError(ReportError):
    """A file of trusted certificates cannot be used."""


@dataclass(frozen=True)
class Trust:
    """Certificates of signers and of timestamp authorities, or of who vouches for them.

    Those of ``signers`` serve timestamps as well. Those of ``authorities`` never vouch for a signer: the
    issuer of an authority's certificate may give others to anybody, with any name.
    """

    signers: Certificates = ()
    authorities: Certificates = ()

    @property
    def both(self) -> tuple[Certificates, Certificates]:
        """Signers, authorities."""
        return self.signers, self.authorities

    @property
    def for_time(self) -> Certificates:
        """Those that may vouch for a timestamp."""
        return (*self.signers, *self.authorities)

    @property
    def asked_by(self) -> str:
        """The option that demands a signature; empty where none does."""
        return "--trust" if self.signers else self.time_asked_by

    @property
    def time_asked_by(self) -> str:
        """The option that demands a timestamp in each signature; empty where it is not given."""
        return "--trust-time" if self.authorities else ""


def read_trust(paths: Sequence[Path]) -> tuple[x509.Certificate, ...]:
    """The certificates in PEM or DER files; raises :class:`TrustError` for a file that holds none."""
    found: list[x509.Certificate] = []
    for path in paths:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise TrustError(f"{path}: {error.strerror}. Name a file with a certificate (PEM).") from None
        try:
            pem = b"-----BEGIN" in data
            found += x509.load_pem_x509_certificates(data) if pem else [x509.load_der_x509_certificate(data)]
        except ValueError:
            raise TrustError(f"{path} holds no certificate (PEM or DER).") from None
    return tuple(found)


def context(roots: Certificates, moment: datetime | None) -> ValidationContext:
    """What certificates are validated with: ``roots`` alone, as of ``moment``, or now."""
    own = [asn1_x509.Certificate.load(each.public_bytes(Encoding.DER)) for each in roots]
    return ValidationContext(trust_roots=own, allow_fetching=False, moment=moment or datetime.now(UTC))
