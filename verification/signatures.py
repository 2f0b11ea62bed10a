"""Signatures: validity, signer, trust, and changes made to a PDF after signing."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import pikepdf
from asn1crypto import cms, core
from cryptography import x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import async_validate_detached_cms, async_validate_pdf_signature
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko.sign.validation.status import (
    PdfSignatureStatus,
    SignatureCoverageLevel,
    StandardCMSSignatureStatus,
    TimestampSignatureStatus,
)

from detector import timestamps
from reports.signing.keys import PROGRAM, name_in, run, sha256_of_certificate
from reports.signing.timestamps import APART
from verification.checks import CheckResults
from verification.trusted_time import (
    Trust,
    check_stamp,
    context,
    is_der,
    refuse_odd_token,
    require_strict,
    stamped_at,
    token_in,
    trusted_moment,
)

# What a signature changes beside the lists that grow by it: the form it is a field of, what allows for it in
# the document, and the tags of its field.
_OF_FORM = {"/DA", "/DR", "/SigFlags"}
_FREE = {"/DSS", "/Extensions", "/Metadata", "/ParentTreeNextKey", "/Perms", "/Tabs", "/Version", *_OF_FORM}
_GROWING = {"/Annots", "/Fields", "/K", "/Nums"}
_KINDS = (pikepdf.Stream, pikepdf.Dictionary, pikepdf.Array)


def only_signatures_added(report: bytes, whole: bytes) -> bool:
    """Return whether ``whole``, which begins with ``report``, only adds signatures to it.

    Raises the errors of pikepdf for a damaged file.
    """
    with pikepdf.open(io.BytesIO(report)) as before, pikepdf.open(io.BytesIO(whole)) as after:
        if before.Root.objgen != after.Root.objgen:
            return False
        # Of the time of the last change; other programs write it, into the metadata too.
        dated = {
            int(revision.trailer["/Info"].objgen[0])
            for revision in (before, after)
            if "/Info" in revision.trailer
        }
        return all(
            number in dated or _fits(before.get_object(number, 0), after.get_object(number, 0))
            for number in range(1, int(before.trailer["/Size"]))
        )


def _fits(old: Any, new: Any) -> bool:
    """Return whether an object is unchanged, or changed only by a signature."""
    if any(isinstance(old, kind) != isinstance(new, kind) for kind in _KINDS):
        return False
    if isinstance(old, pikepdf.Stream):
        is_same = _entries(old) == _entries(new) and old.read_raw_bytes() == new.read_raw_bytes()
        return is_same or old.get("/Type") == new.get("/Type") == "/Metadata"
    if isinstance(old, pikepdf.Array):
        return _grew(old, new)
    if not isinstance(old, pikepdf.Dictionary):
        return _written(old) == _written(new)
    if _is_signature(old) and "/V" not in old:  # a field that waited for it
        return _is_signature(new)
    old_entries, new_entries = _entries(old), _entries(new)
    changed = {
        key for key in old_entries.keys() | new_entries.keys() if old_entries.get(key) != new_entries.get(key)
    }
    return all(_may_change(key, old.get(key), new.get(key)) for key in changed)


def _may_change(key: str, old: Any, new: Any) -> bool:
    if key == "/AcroForm":
        return _fits(pikepdf.Dictionary(Fields=[]) if old is None else old, new)
    return key in _FREE or (key in _GROWING and _grew(old, new))


def _grew(old: Any, new: Any) -> bool:
    """Return whether a list only gained elements of a signature; a single element may stand for a list."""
    old_items, new_items = _items(old), _items(new)
    is_same = [_written(element) for element in old_items] == [
        _written(element) for element in new_items[: len(old_items)]
    ]
    return is_same and all(map(_of_signature, new_items[len(old_items) :]))


def _of_signature(element: Any) -> bool:
    """Return whether an object is a signature or belongs to the structure tree."""
    if not isinstance(element, pikepdf.Dictionary):
        return isinstance(element, int)
    return element.get("/Type") == "/StructElem" or _is_signature(element)


def _is_signature(field: Any) -> bool:
    kind = field.get("/FT") or field.get("/Parent", {}).get("/FT")
    return bool(kind == "/Sig" and field.get("/Subtype") in (None, "/Widget"))


def _items(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, pikepdf.Array) else [value]


def _entries(value: Any) -> dict[str, object]:
    return {key: _written(element) for key, element in value.items()}


def _written(value: Any) -> object:
    """Return an object as written; references stay references."""
    return value.unparse() if isinstance(value, pikepdf.Object) else value


_USAGE = KeyUsageConstraints(
    key_usage={"digital_signature", "non_repudiation"},
    match_all_key_usages=False,
    explicit_extd_key_usage_required=False,
)
# It reports what it makes of certificates as if in trouble; all of that is in the results.
logging.getLogger("pyhanko").setLevel(logging.CRITICAL + 1)

_ODD = "it holds bytes that no signature of Reelproof has"
Status = TypeVar("Status", bound=StandardCMSSignatureStatus)


def check_detached(
    file: str, data: bytes, signature: bytes, trust: Trust, results: CheckResults
) -> str | None:
    """Check the detached signature in ``file`` over ``data``; return the certificate's SHA-256.

    Return None and add a problem to ``results`` if it is invalid.
    """
    try:
        signed_data = _signed_data(signature)

        def validated(moment: datetime | None) -> StandardCMSSignatureStatus:
            return run(
                async_validate_detached_cms(
                    data,
                    signed_data,
                    signer_validation_context=context(trust.signers, moment),
                    ts_validation_context=context(trust.for_time, stamped_at(signed_data)),
                    key_usage_settings=_USAGE,
                )
            )

        status = _as_of_best_time(validated, _claimed(signed_data))
    except Exception as error:  # of a damaged file any: pyHanko and asn1crypto promise none in particular
        results.add(file, "cannot be read", f"it is no signature that can be checked ({_short(error)})")
        return None
    if not (status.intact and status.valid):
        results.add(file, "does not fit", "it is no signature over these bytes: they or it were changed")
        return None
    return _state(file, _claimed(signed_data), status, trust, results)


def check_embedded(file: str, data: bytes, covered: int | None, trust: Trust, results: CheckResults) -> bool:
    """Check the signatures inside the PDF ``data``; return whether there are any.

    ``covered`` is the end of the original report, if known: everything after it must be signed, and nothing
    but signatures.
    """
    try:
        embedded = list(PdfFileReader(io.BytesIO(data)).embedded_signatures)
        more = bool(embedded and covered) and not only_signatures_added(data[:covered], data)
    except Exception as error:  # as above
        results.add(file, "cannot be read", f"its signatures cannot be looked for ({_short(error)})")
        return b"/ByteRange" in data
    if more:
        results.add(
            file, "changed", "what was added behind it is more than a signature: it changes the report"
        )
    for number, signature in enumerate(embedded, 1):
        of_several = f" {number}" if len(embedded) > 1 else ""
        _check_one(file, of_several, data, signature, number == len(embedded), trust, results)
    if not embedded and covered is not None and covered < len(data):
        results.add(file, "changed", f"{len(data) - covered:,} bytes were added behind the report, unsigned")
    return bool(embedded)


def _check_one(
    file: str,
    of_several: str,
    data: bytes,
    signature: EmbeddedPdfSignature,
    last: bool,
    trust: Trust,
    results: CheckResults,
) -> None:
    try:
        if _is_own(signature):
            _signed_data(_hole(data, [int(value) for value in signature.byte_range]))
        else:
            results.notes.append(f"{file}: signed by another program than Reelproof.")

        def validated(moment: datetime | None) -> PdfSignatureStatus:
            return run(
                async_validate_pdf_signature(
                    signature,
                    signer_validation_context=context(trust.signers, moment),
                    ts_validation_context=context(trust.for_time, stamped_at(signature.signed_data)),
                    key_usage_settings=_USAGE,
                    # What follows is compared below, by what also reads the reports of earlier versions;
                    # pyHanko is asked where a signature itself says what may follow.
                    skip_diff=signature.docmdp_level is None,
                )
            )

        status = _as_of_best_time(validated, _claimed_by(signature))
        _, _, second, rest = (int(value) for value in signature.byte_range)
        allowed = last or only_signatures_added(data[: second + rest], data)
    except Exception as error:  # as above
        results.add(file, "changed", f"its signature cannot be checked ({_short(error)})")
        return
    if not (status.intact and status.valid):
        results.add(file, "changed", "it is not what was signed: it or the signature was changed")
        return
    if last and status.coverage is not SignatureCoverageLevel.ENTIRE_FILE:
        results.add(file, "changed", "something was added after it was signed")
        return
    if not allowed or (not last and status.docmdp_ok is False):
        results.add(file, "changed", "it was changed after it was first signed")
        return
    _state(file, _claimed_by(signature), status, trust, results, of_several)


def _as_of_best_time(validated: Callable[[datetime | None], Status], claimed: datetime | None) -> Status:
    """Return a signature's status, its certificate judged at the time of a trusted timestamp if there is one.

    The signer's clock is no evidence: the holder of an expired key would set it back. A time outside the
    certificate's validity is reported separately; trust is then judged at a time when it was valid.
    """
    status = validated(claimed)
    moment = trusted_moment(status.timestamp_validity) or claimed
    if moment is not None:
        certificate = x509.load_der_x509_certificate(status.signing_cert.dump())
        moment = max(certificate.not_valid_before_utc, min(moment, certificate.not_valid_after_utc))
    return status if moment == claimed else validated(moment)


def _is_own(signature: EmbeddedPdfSignature) -> bool:
    """Return whether the signature states that Reelproof made it."""
    made_by = signature.sig_object.get("/Prop_Build", {}).get("/App", {}).get("/Name")
    return bool(made_by == f"/{PROGRAM}")


def _signed_data(data: bytes) -> cms.SignedData:
    """Parse the CMS in ``data``; raise ValueError unless every byte is minimal DER."""
    content = cms.ContentInfo.load(data, strict=True)
    if content["content_type"].native != "signed_data":
        raise ValueError("it is no signed data")
    signed: cms.SignedData = content["content"]
    if not is_der(content, data):
        raise ValueError(_ODD)
    if (stamp := token_in(signed)) is not None:
        refuse_odd_token(stamp)
    require_strict(signed, ("v1", "v1"), _ODD)
    return signed


def _hole(data: bytes, spans: list[int]) -> bytes:
    """Return the signature in the gap of a PDF's byte range, which must be padded with zeros."""
    start, length, second, rest = spans
    gap = data[length:second]
    if start != 0 or gap[:1] != b"<" or gap[-1:] != b">" or not re.fullmatch(rb"[0-9A-F]*", gap[1:-1]):
        raise ValueError(_ODD)
    whole = bytes.fromhex(gap[1:-1].decode())
    size = len(core.Asn1Value.load(whole).dump())
    if any(whole[size:]):
        raise ValueError(_ODD)
    return whole[:size]


def _claimed_by(signature: EmbeddedPdfSignature) -> datetime | None:
    """Return the signing time in a PDF's signature, which PAdES stores in another place."""
    when: datetime | None = signature.self_reported_timestamp
    return when and when.astimezone(UTC)


def _claimed(signed_data: cms.SignedData) -> datetime | None:
    """Return the signing time that the signer claims."""
    for attribute in signed_data["signer_infos"][0]["signed_attrs"]:
        if attribute["type"].native == "signing_time":
            value: datetime = attribute["values"][0].native
            return value
    return None


def _state(
    file: str,
    when: datetime | None,
    status: StandardCMSSignatureStatus,
    trust: Trust,
    results: CheckResults,
    of_several: str = "",
) -> str:
    """Record whose a valid signature is; return the SHA-256 of the certificate.

    ``of_several`` is its number after a space if ``file`` has more than one.
    """
    certificate = x509.load_der_x509_certificate(status.signing_cert.dump())
    own = certificate.issuer == certificate.subject
    vouched = "self-signed" if own else f"certificate issued by {name_in(certificate.issuer)}"
    moment = timestamps.readable(when) if when else "an unknown time"
    results.facts[f"signature{of_several} of {file}"] = (
        f"by {name_in(certificate.subject)} ({vouched}), by the signer's clock on {moment}, "
        f"certificate SHA-256 {sha256_of_certificate(certificate)}"
    )
    if file not in results.signed:
        results.signed.append(file)
    check_stamp(file, status.timestamp_validity, results, trust.time_asked_by, of_several)
    _check_times(file, when, status.timestamp_validity, certificate, results)
    if trust.signers and not status.trusted:
        results.add(
            file, "does not fit", "its signer is none of those that --trust names, nor vouched for by them"
        )
    elif not trust.signers:
        results.notes.append(
            f"{file}: the signature holds, but nothing here says that the name is true: compare the "
            "certificate's SHA-256 with one you got from the signer, or name the certificate with --trust."
        )
    return sha256_of_certificate(certificate)


def _check_times(
    file: str,
    claimed: datetime | None,
    stamp: TimestampSignatureStatus | None,
    certificate: x509.Certificate,
    results: CheckResults,
) -> None:
    """Compare the times of a signature with the certificate's validity and with each other.

    An untrusted timestamp can count against a signature, never for it.
    """
    first, expiry = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    stamped = stamp.timestamp if stamp is not None and stamp.intact and stamp.valid else None
    times = (("its timestamp", stamped), ("the signer's clock", claimed))
    late = [source for source, moment in times if moment and moment > expiry]
    for source, moment in times:
        if moment and moment < first:
            day = timestamps.day(first)
            why = f"by {source} it was signed before the signer's certificate became valid on {day}"
            results.add(file, "does not fit", why)
    for source in late:
        why = f"by {source} it was signed after the signer's certificate expired on {timestamps.day(expiry)}"
        results.add(file, "does not fit", why)
    if stamped and claimed and abs(stamped - claimed) > APART:
        days = timestamps.day(stamped), timestamps.day(claimed)
        why = f"its timestamp is of {days[0]}, where the signer's clock said {days[1]}"
        results.add(file, "does not fit", why)
    if datetime.now(UTC) > expiry and not late:
        word = "Only the signer's clock says" if claimed else "Nothing says"
        results.notes.append(
            f"{file}: the signer's certificate expired on {timestamps.day(expiry)}. "
            + ("The timestamp says" if trusted_moment(stamp) else word)
            + " that it was signed before."
        )


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
