"""The web server: waitress, bound to its port, that refuses early what the disk cannot take."""

from __future__ import annotations

import errno
import shutil
import tempfile
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import create_server
from waitress.utilities import Error

from webapp.folders import Folders
from webapp.intake import no_space
from webapp.settings import SettingError, Settings

_THREADS = 8


class NoSpace(Error):
    """The answer to a request whose body has no room."""

    code = 507
    reason = "Insufficient Storage"


def listen(app: Any, settings: Settings) -> Any:
    """The server, bound to its port. A port in use becomes a :class:`SettingError`."""
    incoming = Folders(settings.data).incoming
    # The server keeps each request's body in a temporary file until it is complete. On many
    # machines /tmp is memory; the data folder is not.
    tempfile.tempdir = str(incoming)
    host = settings.host.strip("[]")
    try:
        server = create_server(
            app,
            host=host,
            port=settings.port,
            # Where localhost is two addresses, two sockets would get two ports.
            ipv4=":" not in host,
            ipv6=":" in host,
            threads=_THREADS,
            ident="",
            max_request_body_size=app.config["MAX_CONTENT_LENGTH"] + 1,
            channel_timeout=300,
            recv_bytes=256 * 1024,  # 8 KiB, the default, takes twice the time for a large upload
        )
    except OSError as problem:
        if problem.errno != errno.EADDRINUSE:
            raise
        raise SettingError(
            f"Port {settings.port} is in use. Stop the program that uses it, or set PORT to another number."
        ) from None

    class Parser(HTTPRequestParser):
        completed: bool

        def received(self, data: bytes) -> int:
            in_header = not self.headers_finished
            consumed: int = super().received(data)
            if in_header and self.headers_finished and not self.completed:
                room = shutil.disk_usage(incoming).free - settings.spare
                # An upload is on the disk twice at worst: as it arrived, and as the exhibit.
                if 2 * self.content_length > room:
                    words = no_space()
                    self.error, self.completed = NoSpace(f"{words.error} {words.remedy}"), True
            return consumed

    class Channel(HTTPChannel):
        parser_class = Parser

    server.channel_class = Channel
    return server
