"""Headers of the proxy that is trusted count, and of nobody else, over real connections."""

from __future__ import annotations

import socket

import pytest
from http_servers import served
from people import account, with_login
from waiting import PATIENCE

from webapp.accounts.permissions import Role


@pytest.fixture
def behind_a_proxy(tmp_path, sent):
    app = with_login(
        tmp_path / "data", sent, REELPROOF_PROXY="127.0.0.1", REELPROOF_ALLOWED_HOSTS="lab.example"
    )
    account(app, "ada", Role.EXAMINER)
    with served(app) as address:
        yield app, int(address.rpartition(":")[2])
    app.extensions["database"].close()


def fetched(port: int, *headers: str) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as link:
        lines = "".join(f"{header}\r\n" for header in headers)
        link.sendall(f"GET /login HTTP/1.1\r\nConnection: close\r\n{lines}\r\n".encode())
        return b"".join(iter(lambda: link.recv(65536), b"")).decode()


FORWARDED = ("X-Forwarded-Proto: https", "X-Forwarded-Host: lab.example", "X-Forwarded-For: 10.9.8.7")


def test_headers_of_the_trusted_proxy_are_used(behind_a_proxy):
    _app, port = behind_a_proxy
    answer = fetched(port, "Host: 127.0.0.1", *FORWARDED)
    assert answer.startswith("HTTP/1.1 200") and "Strict-Transport-Security: max-age=31536000" in answer
    refused = fetched(port, "Host: 127.0.0.1", "X-Forwarded-Host: evil.example")
    assert refused.startswith("HTTP/1.1 400")


def test_a_proxy_that_does_not_say_https_is_reported_once(behind_a_proxy, caplog):
    _app, port = behind_a_proxy
    fetched(port, "Host: 127.0.0.1")  # a shell on the same machine
    fetched(port, "Host: 127.0.0.1", *FORWARDED)
    assert "X-Forwarded-Proto" not in caplog.text
    for silent in ((), FORWARDED[2:]):
        assert "HTTP/1.1 200" in fetched(port, "Host: lab.example", *silent)
    assert caplog.text.count("a request by the proxy 127.0.0.1 has no X-Forwarded-Proto") == 1


def test_headers_of_other_clients_are_ignored(app):
    with served(app) as address:
        answer = fetched(int(address.rpartition(":")[2]), "Host: 127.0.0.1", *FORWARDED)
    assert answer.startswith("HTTP/1.1 200") and "Strict-Transport-Security" not in answer
