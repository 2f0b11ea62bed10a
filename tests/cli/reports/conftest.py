"""One finished report shared by the tests that only read it."""

from report_fixtures import written  # noqa: F401
