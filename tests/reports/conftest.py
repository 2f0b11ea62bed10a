"""One finished report shared by the tests that only read it, and checks in this process."""

from report_fixtures import unconfined, written  # noqa: F401
