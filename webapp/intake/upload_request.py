"""The request as the app makes it: files in its form are hashed into ``incoming/`` while they are read."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import IO, Any, cast

from flask import Request, request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.formparser import FormDataParser

from reports.text.translation.language import gettext
from webapp import this_app
from webapp.errors import UserError
from webapp.intake.incoming import CHUNK, Incoming, UploadLimit

# Room for the multipart frame around the largest exhibit.
FORM_OVERHEAD = 64 * 1024
_LARGE = threading.BoundedSemaphore(1)  # uploads that are hashed and copied at a time


class _FormParser(FormDataParser):
    """Refuses a form that is not UTF-8, which Werkzeug gives out as one with nothing in it."""

    def parse(
        self,
        stream: IO[bytes],
        mimetype: str,
        content_length: int | None,
        options: dict[str, str] | None = None,
    ) -> tuple[IO[bytes], MultiDict[str, str], MultiDict[str, FileStorage]]:
        self.silent = False
        try:
            return super().parse(stream, mimetype, content_length, options)
        except UnicodeDecodeError:
            raise UserError(
                400,
                gettext("The form is not in UTF-8: most likely the name of a file in it is not."),
                gettext("Give the file another name, then send it again."),
            ) from None
        except ValueError:  # one that broke off, as by default
            return stream, self.cls(), self.cls()


class UploadRequest(Request):
    """A request whose uploaded files are hashed into ``incoming/``, and kept nowhere if it breaks off.

    A view with another limit than that of one exhibit, in bytes or in the number of files, sets
    :attr:`upload_limit` before it looks at the form.
    """

    form_data_parser_class = _FormParser
    upload_limit: UploadLimit | None = None
    # Called once the form was read, before anybody is given any of it.
    on_form: Callable[[], None] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._incoming: list[Incoming] = []

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        settings = this_app.settings()
        limit = self.allowed()
        # A file too many in one request is a mistake or an attack; it gets no room on the disk.
        if len(self._incoming) >= limit.files:
            raise limit.too_many()
        stream = Incoming(this_app.folders(), limit, settings.spare, total_content_length)
        self._incoming.append(stream)
        return stream  # type: ignore[return-value]

    def _load_form_data(self) -> None:
        # Each takes the processor for as long as it lasts; pages should not have to share it with ten.
        with _LARGE if (self.content_length or 0) > CHUNK else contextlib.nullcontext():
            super()._load_form_data()
        if self.on_form is not None:
            self.on_form()
        if any("\0" in text for field in self.form.items(multi=True) for text in field):
            raise UserError(
                400,
                gettext("A text of the form holds a NUL character, which cannot be kept."),
                gettext("Take it out, then send the form again."),
            )

    @property
    def form_is_read(self) -> bool:
        """Whether the fields of the form are here; of one that broke off, or is refused unread, none are."""
        return "form" in self.__dict__

    def allowed(self) -> UploadLimit:
        """What this request may bring: one exhibit, unless its view says otherwise."""
        return self.upload_limit or UploadLimit(1, this_app.settings().upload_limit)

    def close(self) -> None:
        """Remove what was not kept. Werkzeug forgets streams of a form that broke off; this does not."""
        for stream in self._incoming:
            stream.close()
        super().close()


def this_request() -> UploadRequest:
    """The request that is being answered, as the class the app makes them."""
    return cast(UploadRequest, request)
