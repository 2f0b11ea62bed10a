"""The base class of errors that are explained to users: HTTP status, message and remedy."""

from __future__ import annotations

from detector.errors import ReelproofError
from reports.language.translation import N_, gettext


class UserError(Exception):
    """Something a person or program is told in words instead of the answer they asked for."""

    retry_after: int | None = None  # seconds, for Retry-After
    title: str | None = None  # of the page, if not that of every page of this status
    link: tuple[str, str] | None = None  # where to go on, and what that is called

    def __init__(self, status: int, error: str, remedy: str, *, field: str = "") -> None:
        """``field`` is that of the form which cannot be used as it was filled in, by its name."""
        super().__init__(error)
        self.status, self.error, self.remedy, self.field = status, error, remedy, field

    def __str__(self) -> str:
        """Both sentences: commands print it."""
        return f"{self.error} {self.remedy}".rstrip()


class NotReady(UserError):
    """What was asked for cannot be given or done yet, because something is not finished."""

    title = N_("Not ready yet")

    def __init__(self, error: str, remedy: str) -> None:
        super().__init__(409, error, remedy)


class IntakeError(UserError):
    """An upload that cannot become an exhibit."""


class StoreError(UserError, ReelproofError):
    """The object store cannot be used."""


class DamagedFile(StoreError):
    """A stored file does not have the bytes that were put there."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            500,
            gettext("In the store, %(name)s does not have the bytes that were put there.", name=name),
            gettext(
                "Put it back from a backup of the store; an exhibit is put back as well by handing "
                "in the same file again."
            ),
        )
