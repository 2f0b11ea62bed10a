"""The request of a webhook: the address it uses, and its timeouts."""

from __future__ import annotations

import contextlib
import re
import socket
import threading

import pytest

from detector.files import ROOT
from webapp import url_allowlist
from webapp.rest.openapi import document as openapi
from webapp.webhooks import delivery


def answering(monkeypatch, *addresses: str) -> None:
    def look_up(_host, port, **_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3",
        "127.0.0.1",
        "169.254.169.254",
        "192.168.1.1",
        "::1",
        "fe80::1",
        "fc00::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "::7f00:1",
        "5f00::1",
        "4000::1",
        "2002:a00:1::1",
        "3fff::1",
        "224.0.0.1",
        "0.0.0.0",
        "100.64.0.1",
    ],
)
def test_private_addresses_are_rejected(monkeypatch, address):
    answering(monkeypatch, address)
    allowed = url_allowlist.parse_url("https://lab.example/in")
    with pytest.raises(delivery.NotSent, match="private network"):
        delivery.resolve_checked(url_allowlist.parse_url("https://lab.example/in"), allowed)


def test_listed_private_and_public_addresses_are_accepted(monkeypatch):
    listed = url_allowlist.parse_url("http://10.1.2.3/in")
    answering(monkeypatch, "10.1.2.3")
    assert delivery.resolve_checked(listed, listed) == "10.1.2.3"
    answering(monkeypatch, "93.184.215.14")
    named = url_allowlist.parse_url("https://lab.example/in")
    assert delivery.resolve_checked(named, named) == "93.184.215.14"
    answering(monkeypatch, "2606:2800:21f::1")
    assert delivery.resolve_checked(named, named) == "2606:2800:21f::1"


def test_connection_uses_the_checked_address(lab, receiver, monkeypatch):
    """A second look at the name server, with another answer, would find nothing to answer it."""
    named = url_allowlist.parse_url(f"http://lab.example:{receiver.server_address[1]}/in")
    monkeypatch.setattr(delivery, "_is_public", lambda _address: True)
    answers = iter([("127.0.0.1",)])
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda _h, port, **_: [(2, 1, 6, "", (address, port)) for address in next(answers)],
    )
    url = f"http://lab.example:{receiver.server_address[1]}/in"
    monkeypatch.setattr(socket, "create_connection", connect_without_names)
    assert delivery.send(url, named, b"{}", {}) == 204
    assert receiver.got[0][1]["Host"].startswith("lab.example")


def connect_without_names(address, timeout):
    connection = socket.socket()
    connection.settimeout(timeout)
    connection.connect(address)
    return connection


def test_unreachable_receiver(lab, receiver):
    place = f"http://127.0.0.1:{receiver.server_address[1]}/hooks/a"
    receiver.shutdown()
    receiver.server_close()
    with pytest.raises(delivery.NotSent):
        delivery.send(place, url_allowlist.parse_url(place), b"{}", {})
    receiver.shutdown = lambda: None  # the fixture's end finds it closed


def test_silent_receiver_times_out(monkeypatch):
    monkeypatch.setattr(delivery, "STEP", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes what is sent, and does not answer
        place = f"http://127.0.0.1:{server.getsockname()[1]}/in"
        with pytest.raises(delivery.NotSent, match="TimeoutError"):
            delivery.send(place, url_allowlist.parse_url(place), b"{}", {})


def test_timeouts_are_documented():
    document = re.search(
        r"within (\d+) seconds, or after (\d+) seconds", (ROOT / "docs" / "api.md").read_text()
    )
    messages = openapi(login=True)["webhooks"].values()
    (description,) = {entry["post"]["responses"]["2XX"]["description"] for entry in messages}
    in_openapi = re.search(r"(\d+) seconds without one, or (\d+) seconds", description)
    assert document and in_openapi
    for match in (document, in_openapi):
        assert [float(entry) for entry in match.groups()] == [delivery.DEADLINE, delivery.STEP]


def test_dripping_receiver_times_out(monkeypatch):
    server = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        connection, _ = server.accept()
        with connection:
            for _ in range(100):
                try:
                    connection.sendall(b"H")
                except OSError:
                    return
                if stop.wait(0.1):
                    return

    stop = threading.Event()
    threading.Thread(target=drip, daemon=True).start()
    monkeypatch.setattr(delivery, "DEADLINE", 1)
    place = f"http://127.0.0.1:{server.getsockname()[1]}/in"
    with pytest.raises(delivery.NotSent, match="longer than"):
        delivery.send(place, url_allowlist.parse_url(place), b"{}", {})
    stop.set()
    server.close()


@pytest.mark.parametrize(
    "head", [b"Content-Length: 64000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n-1\r\n"]
)
def test_response_body_is_not_read(head):
    """In chunks of -1 bytes, everything would be read at once."""
    taken: list[int] = []

    def answer() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\n" + head)
            with contextlib.suppress(OSError):
                while len(taken) < 64:
                    connection.sendall(bytes(1_000_000))
                    taken.append(1_000_000)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer)
        thread.start()
        place = f"http://127.0.0.1:{server.getsockname()[1]}/in"
        assert delivery.send(place, url_allowlist.parse_url(place), b"{}", {}) == 200
        thread.join()
    assert len(taken) < 64
