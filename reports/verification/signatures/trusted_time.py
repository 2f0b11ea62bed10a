"""Timestamps of an authority (RFC 3161) inside signatures: whether they fit, whose they are, and of when."""

from __future__ import annotations

import hashlib
from datetime import datetime

from asn1crypto import cms
from cryptography import x509
from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
from pyhanko.sign.validation.status import TimestampSignatureStatus

from detector import timestamps
from reports.signing.keys import name_in, run, sha256_of_certificate
from reports.verification.problems import CheckResults
from reports.verification.signatures.strict_cms import is_der, require_strict
from reports.verification.signatures.trust import Trust, context

_ODD = "its timestamp holds bytes that none has"


def token_in(signed: cms.SignedData) -> cms.SignedData | None:
    """The timestamp in a signature, None where it has none.

    Raises ``ValueError`` for anything else that is not signed.
    """
    attributes = list(signed["signer_infos"][0]["unsigned_attrs"] or ())
    if not attributes:
        return None
    (only,) = attributes
    if only["type"].native != "signature_time_stamp_token":
        raise ValueError("it holds bytes that no signature of Reelproof has")
    (token,) = only["values"]
    return token["content"]


def stamped_at(signed: cms.SignedData) -> datetime | None:
    """When the authority says to have seen the signature; None without a timestamp that can be read."""
    try:
        token = token_in(signed)
        return None if token is None else token["encap_content_info"]["content"].parsed["gen_time"].native
    except (ValueError, TypeError, KeyError):
        return None


def trusted_moment(stamp: TimestampSignatureStatus | None) -> datetime | None:
    """The time of a timestamp that fits and that a trusted authority made; None of any other."""
    fits = stamp is not None and stamp.intact and stamp.valid and stamp.trusted
    return stamp.timestamp if stamp is not None and fits else None


def refuse_odd_token(token: cms.SignedData) -> None:
    """Raise ``ValueError`` for a token with bytes that nothing covers: they could be changed unseen."""
    (signer,) = token["signer_infos"]
    if list(signer["unsigned_attrs"] or ()):
        raise ValueError(_ODD)
    require_strict(token, ("v3", "v1"), _ODD)


def check_token(file: str, data: bytes, token: bytes, trust: Trust, results: CheckResults) -> None:
    """Check a timestamp token in a file of its own, over ``data``; where there is ``trust``, by it.

    What is wrong with it is added to ``results``, never raised.
    """
    try:
        content = cms.ContentInfo.load(token, strict=True)
        signed: cms.SignedData = content["content"]
        if not is_der(content, token):
            raise ValueError(_ODD)
        refuse_odd_token(signed)
        moment = signed["encap_content_info"]["content"].parsed["gen_time"].native
        roots = context(trust.for_time, moment)
        told = run(validate_tst_signed_data(signed, roots, lambda name: hashlib.new(name, data).digest()))
        stamp = TimestampSignatureStatus(**told)
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
    """Say what a signature's timestamp is worth; whether there is one that fits.

    ``demanded`` is the option that asks for one of an authority that is trusted, if any does; ``of_several``
    is the signature's number after a space where ``file`` has more than one.
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
