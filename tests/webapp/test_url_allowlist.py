"""Which addresses lie below one that an administrator allowed."""

from __future__ import annotations

import pytest

from webapp import url_allowlist
from webapp.settings import SettingError, read_settings


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("https://lab.example/in", True),
        ("https://lab.example/in/deeper?x=1", True),
        ("https://LAB.example:443/in", True),
        ("https://lab.example/inside", False),
        ("https://lab.example/", False),
        ("http://lab.example/in", False),
        ("https://lab.example:8443/in", False),
        ("https://lab.example.evil.example/in", False),
        ("https://lab.example@evil.example/in", False),
        ("https://lab.example/in/../admin", False),
        ("https://lab.example/in/%2e%2E/admin", False),
        ("https://lab.example/in/..%2fadmin", False),
        ("https://lab.example/in/..%5Cadmin", False),
        ("https://lab.example/in/%252e%252e/admin", False),
        ("https://lab.example/in/%25252e./admin", False),
        ("https://lab.example/in/..;x=1/admin", False),
        ("https://lab.example/in/a%0d%0ab", False),
        ("https://lab.example/in/a%20b%2fc", True),
        ("https://lab.example/in#x", False),
        ("https://lab.example\\@evil.example/in", False),
        ("ftp://lab.example/in", False),
        ("https://lab.example/in x", False),
        ("https://[/in", False),
    ],
)
def test_only_addresses_below_an_allowed_one_are_allowed(url, fits):
    assert (url_allowlist.find_allowing(("https://lab.example/in",), url) is not None) == fits


def test_invalid_addresses_in_the_setting_are_refused():
    with pytest.raises(SettingError, match="REELPROOF_WEBHOOKS"):
        read_settings({"REELPROOF_WEBHOOKS": "lab.example"})
