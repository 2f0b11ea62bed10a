"""Timestamps of an authority that the test starts: asked for only when named, and verified."""

from __future__ import annotations

import contextlib
import gzip
import time
from datetime import datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path

import pytest
from evidence import small_pdf, small_result
from keys import make_key
from time_authority import TimeAuthority

from cli.reports.main import main
from detector import timestamps
from reports.custody.format import ZEROS, export_parts
from reports.signing import keys as signing_keys
from reports.signing import timestamps as trusted_time
from reports.signing.keys import SigningError, SigningKey, read_key
from reports.signing.pdf_signature import sign_pdf
from verification.checks import CheckResults
from verification.signatures import check_detached, check_embedded
from verification.trusted_time import Trust, context, read_trust
from verification.verify import verify

pytestmark = pytest.mark.usefixtures("unconfined")

DATA = b'{"a": "manifest"}'


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    authority = TimeAuthority(tmp_path_factory.mktemp("authority"))
    yield authority
    authority.close()


@pytest.fixture(scope="module")
def keys(tmp_path_factory) -> tuple[Path, Path, Path]:
    return make_key(tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="module")
def signature(authority, keys) -> bytes:
    return read_key(*keys[:2], trusted_time.authority(authority.url)).sign(DATA)


def stamping(keys, authority):
    """The key, with the authority's timestamps."""
    return read_key(*keys[:2], trusted_time.authority(authority.url))


def checked(data: bytes, signature: bytes, *trust: Path) -> CheckResults:
    results = CheckResults()
    check_detached("manifest.sig", data, signature, Trust(read_trust(trust)), results)
    return results


def test_a_signature_contains_the_authoritys_time(authority, keys, signature):
    results = checked(DATA, signature, keys[2], authority.issuer)
    assert results.problems == [] and results.notes == []
    fact = results.facts["timestamp of manifest.sig"]
    assert timestamps.readable(authority.moment) in fact and "the authority Test time" in fact


def test_a_token_without_certificate_is_not_trusted(keys, signature):
    results = checked(DATA, signature, keys[2])
    assert results.problems == [] and "nothing here vouches for the authority" in results.notes[0]


def test_issuers_of_authorities_do_not_vouch_for_signers(tmp_path, authority, keys):
    """Its issuer may have given anybody a certificate with any name."""
    other = read_key(authority.key_of_anybody(tmp_path / "other.p12", "Ada Examiner"), None)
    folder = small_result(tmp_path / "result", other)
    trust, issuer = ["--trust", str(keys[2])], str(authority.issuer)
    assert main(["verify", str(folder), *trust, "--trust-time", issuer]) == 1
    results = verify(folder, read_trust([keys[2]]), read_trust([authority.issuer])).results
    assert {(p.file, p.why.partition(",")[0]) for p in results.problems} == {
        ("manifest.sig", "its signer is none of those that --trust names"),
        ("manifest.sig", "it has no timestamp"),
    }
    own = small_result(tmp_path / "own", stamping(keys, authority))
    assert main(["verify", str(own), *trust, "--trust-time", issuer]) == 0
    assert main(["verify", str(own), *trust, "--trust-time", str(keys[2])]) == 1


def test_named_authorities_demand_a_timestamp_of_one_of_them(tmp_path, authority, keys):
    named = read_trust([authority.issuer])
    unsigned = small_result(tmp_path / "unsigned")
    (problem,) = verify(unsigned, (), named).results.problems
    assert problem.why == "it is not signed, but --trust-time demands it"
    report = tmp_path / "report.pdf"
    for signer, why in (
        (read_key(*keys[:2]), ["it has no timestamp, where --trust-time asks for one"]),
        (stamping(keys, authority), []),
    ):
        report.write_bytes(sign_pdf(small_pdf({"scores.csv": b"x"}), signer))
        assert [problem.why for problem in verify(report, (), named).results.problems] == why
    log = tmp_path / "custody.json"
    text = "".join(export_parts(None, 0, ZEROS, ZEROS, authority.moment, [])).encode()
    log.write_bytes(text)
    assert "--trust-time asks" in verify(log, (), named).results.problems[0].why
    log.with_name("custody.json.tsr").write_bytes(trusted_time.token(text, authority.url))
    assert verify(log, (), named).results.problems == []


def test_a_changed_byte_anywhere_is_found(keys, signature, authority):
    trust = (keys[2], authority.issuer)
    unseen = []
    for at in (*range(970, 1010, 4), *range(0, len(signature), 240)):  # the token begins there; and all over
        changed = bytearray(signature)
        changed[at] ^= 1
        results = checked(DATA, bytes(changed), *trust)
        if not results.problems:
            unseen.append(at)
    assert unseen == []


class BackDated(datetime):
    """The clock of whoever sets it back by a hundred days."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        return datetime.now(tz) - timedelta(days=100)


def of_an_expired_key(tmp_path, monkeypatch, authority) -> tuple[SigningKey, Path]:
    """Whoever has an old key signs with another program, which asks for no validity."""
    monkeypatch.setattr(signing_keys, "_refuse_unfit", lambda *_: None)
    old = make_key(tmp_path, days=(-400, -30))
    return stamping(old, authority), old[2]


def whys(results: CheckResults) -> list[str]:
    return [problem.why for problem in results.problems]


def test_a_timestamp_after_the_certificates_expiry_does_not_fit(tmp_path, monkeypatch, authority):
    key, certificate = of_an_expired_key(tmp_path, monkeypatch, authority)
    monkeypatch.setattr(signing_keys, "datetime", BackDated)
    late = key.sign(DATA)
    for trust in (
        Trust(read_trust([certificate]), read_trust([authority.issuer])),
        Trust(read_trust([certificate])),  # one nobody vouches for still does not speak for it
        Trust(),
    ):
        results = CheckResults()
        check_detached("manifest.sig", DATA, late, trust, results)
        assert any(
            "by its timestamp it was signed after the signer's certificate" in w for w in whys(results)
        )
        assert any(why.startswith("its timestamp is of") for why in whys(results))
        assert not any("says that it was signed before" in note for note in results.notes)


@pytest.mark.parametrize(
    ("days", "why"),
    [
        ((10, 300), "by the signer's clock it was signed before the signer's certificate became valid on "),
        ((-300, -30), "by the signer's clock it was signed after the signer's certificate expired on "),
    ],
)
def test_a_signature_outside_its_certificates_validity_is_reported(
    tmp_path, monkeypatch, authority, days, why
):
    """Self-signed, or of an issuer that is named: what is said of trust is true of the certificate."""
    monkeypatch.setattr(signing_keys, "_refuse_unfit", lambda *_: None)
    own = make_key(tmp_path, days=days)
    issued = authority.key_of_anybody(tmp_path / "issued.p12", "Eve", days=days)
    for key, vouching in ((read_key(*own[:2]), own[2]), (read_key(issued), authority.issuer)):
        signature = key.sign(DATA)
        (reason,) = whys(checked(DATA, signature, vouching))
        assert reason.startswith(why)
        results = CheckResults()
        report = sign_pdf(small_pdf({"scores.csv": b"x"}), key)
        check_embedded("report.pdf", report, None, Trust(read_trust([vouching])), results)
        assert whys(results) == [reason]
    other = make_key(tmp_path, name="Somebody else")[2]
    assert len(whys(checked(DATA, signature, other))) == 2


def test_rounding_in_a_report_does_not_reach_a_threshold(tmp_path, monkeypatch, authority):
    key, certificate = of_an_expired_key(tmp_path, monkeypatch, authority)
    late, results = sign_pdf(small_pdf({"scores.csv": b"x"}), key), CheckResults()
    trust = Trust(read_trust([certificate]), read_trust([authority.issuer]))
    check_embedded("report.pdf", late, None, trust, results)
    assert {why.split(" it was ")[0] for why in whys(results)} >= {
        "by its timestamp",
        "by the signer's clock",
    }


def test_a_certificate_is_judged_at_the_time_of_a_trusted_timestamp(tmp_path, monkeypatch, keys, authority):
    """And one that expired since then is said to be covered by it, or by the signer's clock alone."""
    asked = []
    monkeypatch.setattr(
        "verification.signatures.context",
        lambda roots, moment: asked.append((len(roots), moment)) or context(roots, moment),
    )
    signature = stamping(keys, authority).sign(DATA)
    trust, results = Trust(read_trust([keys[2]]), read_trust([authority.issuer])), CheckResults()
    check_detached("manifest.sig", DATA, signature, trust, results)
    assert results.problems == [] and [at for roots, at in asked if roots == 1][1:] == [authority.moment]

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) + timedelta(days=400)

    monkeypatch.setattr("verification.signatures.datetime", Later)
    for trust, who in (
        ((keys[2], authority.issuer), "The timestamp says"),
        ((keys[2],), "Only the signer's clock says"),
    ):
        results = checked(DATA, signature, *trust)
        assert results.problems == [] and any(f"{who} that it was signed before" in n for n in results.notes)


def test_a_timestamp_of_another_signature_does_not_fit(keys, authority, signature):
    from asn1crypto import cms

    other = cms.ContentInfo.load(stamping(keys, authority).sign(b"other"))
    own = cms.ContentInfo.load(signature)
    (signer,), (another,) = own["content"]["signer_infos"], other["content"]["signer_infos"]
    signer["unsigned_attrs"] = another["unsigned_attrs"]
    results = checked(DATA, own.dump(force=True), keys[2])
    assert results.problems


def test_a_report_is_signed_with_a_timestamp(keys, authority):
    signed = sign_pdf(small_pdf({"scores.csv": b"x"}), stamping(keys, authority))
    results = CheckResults()
    assert check_embedded("report.pdf", signed, None, Trust(read_trust([keys[2], authority.issuer])), results)
    assert results.problems == [] and "Test time" in results.facts["timestamp of report.pdf"]


def test_no_authority_is_contacted_by_default(keys, authority):
    before = authority.asked
    assert "timestamp of manifest.sig" not in checked(DATA, read_key(*keys[:2]).sign(DATA)).facts
    assert authority.asked == before


def test_no_signature_without_the_timestamp_that_was_asked_for(keys, authority):
    authority.broken = True
    try:
        with pytest.raises(SigningError, match="gave no timestamp: it answered 503"):
            stamping(keys, authority).sign(DATA)
        with pytest.raises(SigningError, match="gave no timestamp"):
            sign_pdf(small_pdf({"scores.csv": b"x"}), stamping(keys, authority))
    finally:
        authority.broken = False
    with pytest.raises(SigningError, match="gave no timestamp"):
        read_key(*keys[:2], trusted_time.authority("http://127.0.0.1:9/")).sign(DATA)


@pytest.mark.parametrize("spoilt", ["stamps_another_digest", "breaks_its_signature"])
def test_a_token_for_other_data_is_refused(keys, authority, spoilt):
    """The evidence would be signed, handed out, and found not to fit by whoever verifies it."""
    message = "gave no timestamp: its answer is not a timestamp of the requested data"
    with getattr(authority, spoilt)():
        with pytest.raises(SigningError, match=message):
            stamping(keys, authority).sign(DATA)
        with pytest.raises(SigningError, match=message):
            sign_pdf(small_pdf({"scores.csv": b"x"}), stamping(keys, authority))
        with pytest.raises(SigningError, match=message):
            trusted_time.token(DATA, authority.url)


def test_a_figure_with_another_date_begins_no_sentence(keys, authority):
    """Verification would take it for a signer's clock that was set back."""
    with (
        authority.is_of(authority.moment - timedelta(days=2)),
        pytest.raises(SigningError, match="set the clock"),
    ):
        stamping(keys, authority).sign(DATA)


_PACKED = gzip.compress(bytes(200_000), 1)  # twice as much as an answer can be, in a kilobyte


def packed(handler) -> None:
    body = _PACKED
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def endless(handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(OSError):
        for _ in range(1000):
            handler.wfile.write(bytes(10_000))


def dripping(handler, line: bytes = b"") -> None:
    handler.wfile.write(line or b"HTTP/1.0 200 OK\r\n\r\n")
    with contextlib.suppress(OSError):
        for _ in range(6000):
            handler.wfile.write(b"0")
            time.sleep(0.1)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (packed, "its answer is not a timestamp"),
        (endless, "its answer is too long"),
        (dripping, "it did not answer in time"),
        (partial(dripping, line=b"HTTP/1.0 200 OK\r\nX: "), "it did not answer in time"),
        (lambda handler: handler.send_error(404), "it answered 404"),
    ],
    ids=["packed", "endless", "dripping", "dripping headers", "404"],
)
def test_slow_and_endless_answers_of_an_authority_are_cut_off(authority, monkeypatch, answer, why):
    if why == "it did not answer in time":
        monkeypatch.setattr(trusted_time, "_TIME_OUT", 1.0)
    monkeypatch.setattr(authority, "answer", answer)
    start = time.monotonic()
    with pytest.raises(SigningError, match=f"gave no timestamp: {why}"):
        trusted_time.token(DATA, authority.url)
    if why == "it did not answer in time":
        assert time.monotonic() - start < 120  # of the ten minutes that it would go on for


@pytest.mark.parametrize("url", ["http://time.example/tsr", "ftp://time.example", "https://[", "nonsense"])
def test_invalid_addresses_are_refused(keys, url):
    with pytest.raises(SigningError, match="must begin with https"):
        read_key(*keys[:2], trusted_time.authority(url)).sign(DATA)


def test_a_trusted_log_needs_a_token_of_a_trusted_authority(tmp_path, authority, keys):
    """Whoever forges a log can take its token away, or ask an authority of their own."""
    log, stamp = tmp_path / "custody.json", tmp_path / "custody.json.tsr"
    text = "".join(export_parts(None, 0, ZEROS, ZEROS, authority.moment, [])).encode()
    log.write_bytes(text)
    trust = read_trust([authority.issuer])
    assert [(p.file, p.kind) for p in verify(log, trust).results.problems] == [(stamp.name, "missing")]
    stamp.write_bytes(trusted_time.token(text, authority.url))
    assert main(["verify", str(log), "--trust", str(authority.issuer)]) == 0
    results = verify(log, read_trust([keys[2]])).results
    assert [(p.file, p.kind) for p in results.problems] == [(stamp.name, "does not fit")]
    assert results.signed == [] and results.notes == []
    results = verify(log).results
    assert results.problems == [] and results.signed == [] and "nothing here vouches" in results.notes[0]
    assert main(["verify", str(log), "--trust", str(keys[2])]) == 1


def test_a_log_with_a_token_beside_it(tmp_path, authority):
    log = tmp_path / "custody.json"
    text = "".join(export_parts(None, 0, ZEROS, ZEROS, authority.moment, [])).encode()
    log.write_bytes(text)
    assert verify(log).results.problems == [] and verify(log).results.signed == []
    stamp = tmp_path / "custody.json.tsr"
    stamp.write_bytes(trusted_time.token(text, authority.url))
    results = verify(log, read_trust([authority.issuer])).results
    assert (results.problems, results.notes, results.signed) == ([], [], ["custody.json.tsr"])
    assert timestamps.readable(authority.moment) in results.facts["timestamp of custody.json.tsr"]
    stamp.write_bytes(trusted_time.token(b"another", authority.url))
    assert [problem.file for problem in verify(log).results.problems] == ["custody.json.tsr"]
    stamp.write_bytes(b"nonsense")
    assert verify(log).results.problems
    log.write_bytes(text.replace(b'"count": 0', b'"count": 1'))
    assert verify(log).results.problems
