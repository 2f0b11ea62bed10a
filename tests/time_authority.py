"""A timestamp authority (RFC 3161) on loopback, with a certificate of an issuer of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock

from asn1crypto import keys, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.sign.timestamps import DummyTimeStamper


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: str, issuer: str, key: rsa.RSAPublicKey, days: tuple[int, int] = (-400, 400)
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_named(subject))
        .issuer_name(_named(issuer))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
    )


class TimeAuthority:
    """Answers until it is closed; ``broken`` has it refuse, ``answer`` send something of its own."""

    def __init__(self, folder: Path) -> None:
        root, own = (rsa.generate_private_key(65537, 2048) for _ in range(2))
        issuer = (
            _builder("Test issuer", "Test issuer", root.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(root, hashes.SHA256())
        )
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        certificate = (
            _builder("Test time", "Test issuer", own.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(root, hashes.SHA256())
        )
        self._root = root
        self.issuer = folder / "issuer.pem"
        self.issuer.write_bytes(issuer.public_bytes(Encoding.PEM))
        private = own.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        own_certificate = asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))
        self.answer: Callable[[BaseHTTPRequestHandler], None] | None = None
        self.asked, self.broken, self.moment = 0, False, datetime.now(UTC).replace(microsecond=0)
        self._stamper = DummyTimeStamper(
            own_certificate, keys.PrivateKeyInfo.load(private), fixed_dt=self.moment
        )
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/tsr"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stamps_another_digest(self) -> AbstractContextManager[object]:
        """For a while it stamps zeros instead of what it is asked for."""
        stamp = self._stamper.request_tsa_response

        def other(request: tsp.TimeStampReq) -> tsp.TimeStampResp:
            request["message_imprint"]["hashed_message"] = bytes(32)
            return stamp(request)

        return mock.patch.object(self._stamper, "request_tsa_response", other)

    def breaks_its_signature(self) -> AbstractContextManager[object]:
        """For a while its tokens are as they should be, but for a bit of their signature."""
        stamp = self._stamper.request_tsa_response

        def other(request: tsp.TimeStampReq) -> tsp.TimeStampResp:
            made = stamp(request)
            (signer,) = made["time_stamp_token"]["content"]["signer_infos"]
            signature = signer["signature"].native
            signer["signature"] = signature[:-1] + bytes([signature[-1] ^ 1])
            return made

        return mock.patch.object(self._stamper, "request_tsa_response", other)

    def is_of(self, moment: datetime) -> AbstractContextManager[object]:
        """For a while its clock says ``moment``."""
        return mock.patch.object(self._stamper, "fixed_dt", moment)

    def key_of_anybody(self, path: Path, name: str, days: tuple[int, int] = (-1, 365)) -> Path:
        """A signer's key without a password, with a certificate for e-mail by the same issuer."""
        own = rsa.generate_private_key(65537, 2048)
        certificate = (
            _builder(name, "Test issuer", own.public_key(), days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(True, False, False, False, False, False, False, False, False), critical=True
            )
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
            .sign(self._root, hashes.SHA256())
        )
        data = pkcs12.serialize_key_and_certificates(b"key", own, certificate, None, NoEncryption())
        path.write_bytes(data)
        return path

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = tsp.TimeStampReq.load(self.rfile.read(int(self.headers["Content-Length"])))
                authority.asked += 1
                if authority.answer:
                    authority.answer(self)
                    return
                body = b"" if authority.broken else authority._stamper.request_tsa_response(request).dump()
                self.send_response(503 if authority.broken else 200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                pass

        return Handler
