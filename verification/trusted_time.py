"""Trusted certificates, strict CMS, and timestamps of an authority (RFC 3161)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from asn1crypto import cms, core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
from pyhanko.sign.validation.status import TimestampSignatureStatus
from pyhanko_certvalidator import ValidationContext

from detector import timestamps
from reports.errors import ReportError
from reports.signing.keys import name_in, run, sha256_of_certificate
from verification.checks import CheckResults

Certificates = Sequence[x509.Certificate]


class TrustError(ReportError):
    """A file of trusted certificates cannot be used."""


@dataclass(frozen=True)
class Trust:
    """Trusted certificates of signers and of timestamp authorities, or of their issuers.

    Those of ``signers`` also serve timestamps. Those of ``authorities`` never vouch for a signer: the issuer
    of an authority's certificate may issue others to anyone, with any name.
    """

    signers: Certificates = ()
    authorities: Certificates = ()

    @property
    def both(self) -> tuple[Certificates, Certificates]:
        """Certificates of signers, and of authorities."""
        return self.signers, self.authorities

    @property
    def for_time(self) -> Certificates:
        """Certificates that may vouch for a timestamp."""
        return (*self.signers, *self.authorities)

    @property
    def asked_by(self) -> str:
        """Option that demands a signature; "" if none does."""
        return "--trust" if self.signers else self.time_asked_by

    @property
    def time_asked_by(self) -> str:
        """Option that demands a timestamp in each signature; "" if none does."""
        return "--trust-time" if self.authorities else ""


def read_trust(paths: Sequence[Path]) -> tuple[x509.Certificate, ...]:
    """Read the certificates in PEM or DER files; raise :class:`TrustError` for a file without any."""
    certificates: list[x509.Certificate] = []
    for path in paths:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise TrustError(f"{path}: {error.strerror}. Name a file with a certificate (PEM).") from None
        try:
            pem = b"-----BEGIN" in data
            certificates += (
                x509.load_pem_x509_certificates(data) if pem else [x509.load_der_x509_certificate(data)]
            )
        except ValueError:
            raise TrustError(f"{path} holds no certificate (PEM or DER).") from None
    return tuple(certificates)


def context(roots: Certificates, moment: datetime | None) -> ValidationContext:
    """Return the validation context with ``roots`` only, at ``moment`` or now."""
    own = [asn1_x509.Certificate.load(root.public_bytes(Encoding.DER)) for root in roots]
    return ValidationContext(trust_roots=own, allow_fetching=False, moment=moment or datetime.now(UTC))


def require_strict(signed_data: cms.SignedData, versions: tuple[str, str], odd: str) -> None:
    """Raise ``ValueError`` with the message ``odd`` for bytes that could be changed undetected.

    ``versions`` are those of the data and of its one signer. Unsigned attributes are left to the caller.
    Raises the errors of :mod:`cryptography` for a certificate that its stated issuer did not sign.
    """
    (signer,) = signed_data["signer_infos"]
    algorithms = [*signed_data["digest_algorithms"], signer["digest_algorithm"]]
    first, *others = (record["algorithm"].native for record in algorithms)
    if len(algorithms) != 2 or others != [first] or signed_data["crls"].native:
        raise ValueError(odd)
    if not all(isinstance(record["parameters"], (core.Void, core.Null)) for record in algorithms):
        raise ValueError(odd)
    if (signed_data["version"].native, signer["version"].native) != versions:
        raise ValueError(odd)
    certificates = [choice.chosen for choice in signed_data["certificates"]]
    issuers = {(record["tbs_certificate"]["issuer"].dump(), record.serial_number) for record in certificates}
    sid = signer["sid"].chosen  # names are compared with no regard to case, bytes are not
    if (sid["issuer"].dump(), sid["serial_number"].native) not in issuers:
        raise ValueError(odd)
    _check_issuers([x509.load_der_x509_certificate(record.dump()) for record in certificates])


def is_der(content: cms.ContentInfo, data: bytes) -> bool:
    """Return whether ``data``, from which ``content`` was parsed, is exactly its DER encoding."""
    anew = content.copy()
    _settle(anew)
    return bool(anew.dump(force=True) == data)


def _settle(value: core.Asn1Value) -> None:
    """Mark ``value`` and everything in it as unchanged in asn1crypto.

    A missing field with a default counts as changed and is encoded again at each access, twice per level
    around it: thousands of times for a timestamp in a signature.
    """
    if isinstance(value, core.Choice):
        _settle(value.chosen)
    if not isinstance(value, core.Sequence | core.SequenceOf):
        return
    of_fields = isinstance(value, core.Sequence)
    for element in value:
        _settle(value[element] if of_fields else element)
    value._mutated = False


def _check_issuers(certificates: list[x509.Certificate]) -> None:
    """Check that no certificate is damaged whose issuer is in the list, or which is self-signed."""
    for certificate in certificates:
        for issuer in certificates:
            if certificate.issuer == issuer.subject:
                certificate.verify_directly_issued_by(issuer)


_ODD = "its timestamp holds bytes that none has"


def token_in(signed_data: cms.SignedData) -> cms.SignedData | None:
    """Return the timestamp in a signature, None without one.

    Raise ``ValueError`` for any other unsigned attribute.
    """
    attributes = list(signed_data["signer_infos"][0]["unsigned_attrs"] or ())
    if not attributes:
        return None
    (only,) = attributes
    if only["type"].native != "signature_time_stamp_token":
        raise ValueError("it holds bytes that no signature of Reelproof has")
    (token,) = only["values"]
    return token["content"]


def stamped_at(signed_data: cms.SignedData) -> datetime | None:
    """Return the time at which the authority saw the signature; None without a readable timestamp."""
    try:
        token = token_in(signed_data)
        return None if token is None else token["encap_content_info"]["content"].parsed["gen_time"].native
    except (ValueError, TypeError, KeyError):
        return None


def trusted_moment(stamp: TimestampSignatureStatus | None) -> datetime | None:
    """Return the time of a valid timestamp of a trusted authority, None for any other."""
    fits = stamp is not None and stamp.intact and stamp.valid and stamp.trusted
    return stamp.timestamp if stamp is not None and fits else None


def refuse_odd_token(token: cms.SignedData) -> None:
    """Raise ``ValueError`` for a token with bytes that nothing covers: they could be changed undetected."""
    (signer,) = token["signer_infos"]
    if list(signer["unsigned_attrs"] or ()):
        raise ValueError(_ODD)
    require_strict(token, ("v3", "v1"), _ODD)


def check_token(file: str, data: bytes, token: bytes, trust: Trust, results: CheckResults) -> None:
    """Check a timestamp token in a file of its own, over ``data``, and its ``trust`` if given.

    Problems are added to ``results``, never raised.
    """
    try:
        content = cms.ContentInfo.load(token, strict=True)
        signed_data: cms.SignedData = content["content"]
        if not is_der(content, token):
            raise ValueError(_ODD)
        refuse_odd_token(signed_data)
        moment = signed_data["encap_content_info"]["content"].parsed["gen_time"].native
        roots = context(trust.for_time, moment)
        status = run(
            validate_tst_signed_data(signed_data, roots, lambda name: hashlib.new(name, data).digest())
        )
        stamp = TimestampSignatureStatus(**status)
    except Exception as error:  # of a damaged file any
        why = " ".join(str(error).split())[:120] or type(error).__name__
        results.add(file, "does not fit", f"it is no timestamp of this file ({why})")
        return
    if check_stamp(file, stamp, results, trust.time_asked_by or trust.asked_by) and stamp.trusted:
        results.signed.append(file)


def check_stamp(
    file: str,
    stamp: TimestampSignatureStatus | None,
    results: CheckResults,
    demanded: str,
    of_several: str = "",
) -> bool:
    """Check a signature's timestamp; return whether there is a valid one.

    ``demanded`` is the option that demands one of a trusted authority; ``of_several`` is the signature's
    number after a space if ``file`` has more than one.
    """
    if stamp is None:
        if demanded:
            results.add(file, "does not fit", f"it has no timestamp, where {demanded} asks for one")
        return False
    if not (stamp.intact and stamp.valid):
        results.add(file, "does not fit", "its timestamp is not one of this signature")
        return False
    certificate = x509.load_der_x509_certificate(stamp.signing_cert.dump())
    results.facts[f"timestamp{of_several} of {file}"] = (
        f"{timestamps.readable(stamp.timestamp)}, by the authority {name_in(certificate.subject)}, "
        f"certificate SHA-256 {sha256_of_certificate(certificate)}"
    )
    if not stamp.trusted and demanded:
        why = f"its authority is none of those that {demanded} names, nor vouched for by them"
        results.add(file, "does not fit", f"it has a timestamp, but {why}")
    elif not stamp.trusted:
        results.notes.append(
            f"{file}: nothing here vouches for the authority of its timestamp. Name its certificate, or its "
            "issuer's, with --trust-time."
        )
    return True
