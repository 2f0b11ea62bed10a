"""The base class of errors that are explained to users: HTTP status, message and remedy."""

from __future__ import annotations

from detector.errors import ReelproofError
from detector.schema.formatting import sentences
from language.translation import N_, gettext


class UserError(Exception):
    """An error with a message and a remedy for a person or program."""

    retry_after: int | None = None  # seconds, for Retry-After
    makes_download = False  # a page that tries again ends in a download
    title: str | None = None  # of the page, instead of the usual title of the status
    link: tuple[str, str] | None = None  # an address to continue at, and its label

    def __init__(self, status: int, error: str, remedy: str, *, field: str = "") -> None:
        """``field`` is the name of the invalid field of the form."""
        super().__init__(error)
        self.status, self.error, self.remedy, self.field = status, error, remedy, field

    def __str__(self) -> str:
        return sentences(self.error, self.remedy) if self.remedy else self.error


class NotReady(UserError):
    """The result is not available, or the action not possible, until something has finished."""

    title = N_("Not ready yet")

    def __init__(self, error: str, remedy: str) -> None:
        super().__init__(409, error, remedy)


class IntakeError(UserError):
    """An upload cannot become an exhibit."""


class StoreError(UserError, ReelproofError):
    """The object store cannot be used."""


class DamagedFile(StoreError):
    """A stored file does not have the bytes that were put there."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            500,
            gettext("%(name)s in the store was changed.", name=name),
            gettext(
                "Restore it from a backup of the store; uploading the same file again restores an "
                "exhibit, too."
            ),
        )
