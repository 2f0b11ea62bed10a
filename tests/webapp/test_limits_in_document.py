"""The figures of docs/security.md on guessing and on requests are those of the code."""

from __future__ import annotations

import re
from datetime import timedelta

from limits import RateLimitItemPerMinute, parse

from detector.files import ROOT
from webapp.accounts import passwords, request_guard
from webapp.accounts.permissions import Permission

_TEXT = (ROOT / "docs" / "security.md").read_text("utf-8")
_COUNTED = re.compile(r"^\| ([\w ]+) \| [^|]+ \| (\d+) \| (\d+) minutes? \|$", re.MULTILINE)


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def test_the_documented_login_throttle_matches() -> None:
    account, address = passwords.throttle_buckets("ada", "10.0.0.1", None)
    (device,) = passwords.throttle_buckets("ada", "10.0.0.1", "browser")
    (code,) = passwords.code_bucket("ada")
    limits = {(by, int(free), timedelta(minutes=int(wait))) for by, free, wait in _COUNTED.findall(_TEXT)}
    by = ("account and network address", account), ("account and browser", device)
    by += ("network address", address), ("account", code)
    assert {(name, bucket.free, bucket.longest) for name, bucket in by} == limits


def test_the_documented_rate_limits_match() -> None:
    (table,) = re.findall(r"^\| requests \| a minute \|\n\|---\|---\|\n((?:\|.+\n)+)", _TEXT, re.MULTILINE)
    limits = {
        name: RateLimitItemPerMinute(_number(number))
        for name, number in re.findall(
            r"^\| (?:changes of one's )?([a-z ]+?)(?: \(.+\))? \| ([\d,]+) \|$", table, re.MULTILINE
        )
    }
    dear = {permission: parse(text) for permission, text in request_guard._COSTLY.items()}
    assert limits.pop("password") == parse(request_guard._COSTLY_ENDPOINTS["account.password"])
    assert limits == {
        "in all": parse(request_guard._ALL_REQUESTS),
        "downloads": dear.pop(Permission.EXPORT),
        "starting work": dear.pop(Permission.ANALYSE),
        "configuring": dear.pop(Permission.CONFIGURE),
        "administering": dear.pop(Permission.ADMINISTER),
    }
    assert not dear and len(request_guard._COSTLY_ENDPOINTS) == 1
