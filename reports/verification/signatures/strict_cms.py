"""What is demanded of a CMS (RFC 5652) beyond what its signature covers.

Some bytes of a CMS are covered by no signature, its own included: versions, lists of algorithms, unsigned
attributes, whichever certificates came along. Whoever verifies a file must notice a change of any byte, so
each of them must be as Reelproof, or a timestamp authority, writes it.
"""

from __future__ import annotations

from asn1crypto import cms, core
from cryptography import x509


def require_strict(signed: cms.SignedData, versions: tuple[str, str], odd: str) -> None:
    """Raise ``ValueError`` with the message ``odd`` for bytes that could be changed unseen.

    ``versions`` are those of the data and of its one signer. Unsigned attributes are left to the caller.
    Raises what :mod:`cryptography` does for a certificate that was not issued as it says.
    """
    (signer,) = signed["signer_infos"]
    algorithms = [*signed["digest_algorithms"], signer["digest_algorithm"]]
    first, *others = (each["algorithm"].native for each in algorithms)
    if len(algorithms) != 2 or others != [first] or signed["crls"].native:
        raise ValueError(odd)
    if not all(isinstance(each["parameters"], (core.Void, core.Null)) for each in algorithms):
        raise ValueError(odd)
    if (signed["version"].native, signer["version"].native) != versions:
        raise ValueError(odd)
    certificates = [choice.chosen for choice in signed["certificates"]]
    named = {(each["tbs_certificate"]["issuer"].dump(), each.serial_number) for each in certificates}
    sid = signer["sid"].chosen  # names are compared with no regard to case, bytes are not
    if (sid["issuer"].dump(), sid["serial_number"].native) not in named:
        raise ValueError(odd)
    _check_issuers([x509.load_der_x509_certificate(each.dump()) for each in certificates])


def is_der(content: cms.ContentInfo, data: bytes) -> bool:
    """Whether ``data``, which ``content`` was read from, is what DER makes of it, byte for byte."""
    anew = content.copy()
    _settle(anew)
    return bool(anew.dump(force=True) == data)


def _settle(value: core.Asn1Value) -> None:
    """Have asn1crypto take ``value`` for what was read, and nothing in it for changed since.

    What lacks a field that has a default counts as changed. It is encoded anew whenever its bytes are asked
    for, which each level around it does twice: of a timestamp in a signature, thousands of times.
    """
    if isinstance(value, core.Choice):
        _settle(value.chosen)
    if not isinstance(value, core.Sequence | core.SequenceOf):
        return
    of_fields = isinstance(value, core.Sequence)
    for each in value:
        _settle(value[each] if of_fields else each)
    value._mutated = False


def _check_issuers(certificates: list[x509.Certificate]) -> None:
    """No certificate may have been damaged that another in the list, or itself, vouches for."""
    for certificate in certificates:
        for issuer in certificates:
            if certificate.issuer == issuer.subject:
                certificate.verify_directly_issued_by(issuer)
