"""Addresses as proxies and sockets write them, and the network each counts as."""

from __future__ import annotations

import pytest

from webapp.http.request_values import client_network, plain_address


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("[2001:db8:1:2:3::4]:50123", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2:3::4]", "2001:db8:1:2::/64"),
        ("10.0.0.1:50123", "10.0.0.1"),
        ("[::ffff:10.0.0.1]:50123", "10.0.0.1"),
        ("::FFFF:0a00:0001", "10.0.0.1"),
        ("", ""),
    ],
)
def test_client_network_of_an_address(address, place):
    assert client_network(address) == place


def test_plain_addresses_keep_the_interface_part() -> None:
    assert plain_address("[2001:db8:1:2:3::4]:50123") == "2001:db8:1:2:3::4"
    assert plain_address("[::ffff:10.0.0.1]:50123") == "10.0.0.1"
    assert plain_address("nowhere") == "nowhere"
