"""Fixtures of the tests of networks."""

from __future__ import annotations

from network_fixtures import crops, networks  # noqa: F401
