"""The web server: waitress, with limits on connections, and uploads rejected before their body is read.

An open socket that sends nothing costs its owner nothing. waitress by itself keeps a hundred of them for five
minutes each and then accepts no more. Here there may be more, each has a deadline, and if there are too many,
of one address or in total, the one that has waited longest closes: a client that sends its request at once is
always served.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import create_server
from waitress.utilities import Error

from webapp import logs
from webapp.accounts.request_guard import SMALL, Admission
from webapp.errors import UserError
from webapp.http import error_responses
from webapp.http.request_values import client_network
from webapp.http.uploads import no_space_error
from webapp.settings import SettingError, Settings
from webapp.storage.data_folder import Folders

with contextlib.suppress(ImportError):  # not on Windows
    import resource

MAX_CONNECTIONS = 1000
MAX_CONNECTIONS_PER_ADDRESS = 100
# Seconds: from the first byte of a request to the end of its headers, and between two requests.
HEADERS_TIMEOUT, KEEP_ALIVE_TIMEOUT = 20.0, 60.0
# Seconds for a body; longer only while it arrives at this average rate in bytes a second.
BODY_TIMEOUT, MIN_BODY_RATE = 60.0, 500.0
CHECK_INTERVAL = 5  # seconds
_OPEN_FILES = 4096  # the limit to request for this process; half of it is for connections
_THREADS = 24  # enough for pages while large uploads wait for each other
# Errors that waitress itself reports, by status; any other is an unreadable request.
_WAITRESS_ERRORS = {
    413: UserError(
        413,
        "The request is larger than this Reelproof accepts.",
        "Upload a smaller file, or have REELPROOF_UPLOAD_LIMIT_MB raised.",
    ),
    431: UserError(
        431,
        "The headers of this request are larger than Reelproof accepts.",
        "In a browser, delete the cookies of this address; in a program, send fewer or shorter headers.",
    ),
    501: UserError(
        501,
        "This request uses a transfer coding that Reelproof does not know.",
        "Send it with Content-Length, or with Transfer-Encoding: chunked alone.",
    ),
}
_UNREADABLE = UserError(
    400,
    "Reelproof cannot read this HTTP request.",
    "Use a browser or an HTTP library; with a proxy in front, look at what it passes on.",
)


class Connections:
    """All connections of one server by network. Used by the server's own thread alone."""

    def __init__(self, network_of: Callable[[str], str], proxy: str | None) -> None:
        """Connections of ``proxy`` belong to many people and count in the total only."""
        self._network_of = network_of
        self._unlimited = network_of(proxy) if proxy else None
        self._by_network: dict[str, dict[TimedChannel, None]] = {}
        self.most = min(MAX_CONNECTIONS, _max_open_files() // 2)

    def add(self, channel: TimedChannel) -> None:
        """Count a new connection; close one if there are too many with it."""
        network = self._network_of(str(channel.addr[0]))
        others = self._by_network.setdefault(network, {})
        others[channel] = None
        if network != self._unlimited and len(others) > MAX_CONNECTIONS_PER_ADDRESS:
            _close_one(others, channel)
        elif len(channel.server.active_channels) > self.most:
            _close_one(channel.server.active_channels.values(), channel)

    def remove(self, channel: TimedChannel) -> None:
        """Stop counting a closed connection."""
        network = self._network_of(str(channel.addr[0]))
        others = self._by_network.get(network, {})
        others.pop(channel, None)
        if not others:
            self._by_network.pop(network, None)


class TimedChannel(HTTPChannel):
    """A connection with deadlines; the server's own subclass sets ``connections``."""

    connections: Connections

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waiting_since = self._began = time.monotonic()
        self._was_answered, self._received = False, 0
        self.connections.add(self)

    def received(self, data: bytes) -> bool:
        """Record the beginning of a request and the bytes received of it."""
        if self.request is None:
            self._began, self._received = time.monotonic(), 0
        self._received += len(data)
        return bool(super().received(data))

    def service(self) -> None:
        """Answer a request; the wait for the next one begins afterwards."""
        super().service()
        self._was_answered, self.waiting_since = True, time.monotonic()

    def handle_close(self) -> None:
        """Stop counting the connection."""
        self.connections.remove(self)
        super().handle_close()

    def gives_way(self) -> bool:
        """Tell whether closing it loses nothing but time: its request is not known yet."""
        has_headers = self.request is not None and self.request.headers_finished
        return not (has_headers or self._is_busy())

    def overdue(self, now: float) -> bool:
        """Tell whether a deadline has passed."""
        if self._is_busy():
            return False
        if self.request is None:
            timeout = KEEP_ALIVE_TIMEOUT if self._was_answered else HEADERS_TIMEOUT
            return now - self.waiting_since > timeout
        if not self.request.headers_finished:
            return now - self._began > HEADERS_TIMEOUT
        return now - self._began > BODY_TIMEOUT + self._received / MIN_BODY_RATE

    def _is_busy(self) -> bool:
        return bool(self.requests or self.total_outbufs_len or self.will_close)


def close_overdue(channels: Iterable[TimedChannel]) -> None:
    """Close connections whose deadline has passed."""
    now = time.monotonic()
    for channel in channels:
        if channel.overdue(now):
            channel.will_close = True


def _close_one(channels: Iterable[TimedChannel], newcomer: TimedChannel) -> None:
    waiting = [channel for channel in channels if channel is not newcomer and channel.gives_way()]
    oldest = min(waiting, key=lambda channel: channel.waiting_since, default=newcomer)
    oldest.will_close = True


def _max_open_files() -> int:
    """Raise this process's limit of open files if possible, and return it."""
    try:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    except (NameError, ValueError, OSError):
        return 512
    return _OPEN_FILES if soft == resource.RLIM_INFINITY else soft


class EarlyAnswer(Error):
    """The response to a request whose body is not read; below ``/api/`` it has problem details."""

    def __init__(self, request: HTTPRequestParser, refusal: UserError) -> None:
        super().__init__(str(refusal))
        self.code, self.reason = refusal.status, error_responses.problem_title(refusal.status)
        self._request_id = logs.log_early_response(request.command, refusal.status)
        self._refusal, self._is_api = refusal, request.path.startswith(error_responses.PREFIX)

    def to_response(self, ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        """Return status, headers and body for waitress."""
        status, headers, body = super().to_response(ident)
        refusal = self._refusal
        if self._is_api:
            problem = error_responses.problem_response(refusal.status, refusal.error, refusal.remedy)
            headers, body = [("Content-Type", error_responses.MEDIA_TYPE)], problem.get_data()
        if refusal.status == 401:
            headers.append(("WWW-Authenticate", error_responses.CHALLENGE))
        if refusal.retry_after is not None:
            headers.append(("Retry-After", str(refusal.retry_after)))
        return status, [*headers, (logs.HEADER, self._request_id)], body


class Room:
    """The disk space for uploads: what is free now, less what admitted requests will still take.

    The one thread that reads admits requests; the thread that has answered a request forgets it.
    """

    def __init__(self, settings: Settings) -> None:
        self._incoming, self._spare = Folders.local(settings.data).incoming, settings.spare
        self._admitted: set[AdmittedRequest] = set()
        self._lock = threading.Lock()

    def takes(self, request: AdmittedRequest) -> bool:
        """Reserve space for a request whose headers are complete; return False without enough space.

        Small requests, which wait in memory, are always admitted: signing in and deleting work while the disk
        is full. A small file is refused where the form is read.
        """
        if not request.chunked and request.content_length <= SMALL:
            return True
        with self._lock:
            self._admitted.add(request)
        if self.suffices():
            return True
        self.forget(request)
        return False

    def suffices(self) -> bool:
        """Tell whether all admitted requests still have space; chunked ones take ever more."""
        with self._lock:
            free = shutil.disk_usage(self._incoming).free - self._spare
            return sum(request.to_come() for request in self._admitted) <= free

    def forget(self, request: AdmittedRequest) -> None:
        """Release the space of a request that was answered or broke off."""
        with self._lock:
            self._admitted.discard(request)


class _Body(io.RawIOBase):
    """The body of a received request; the app has copied ``copied`` bytes of it to the disk."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream, self.copied = stream, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size: int = self._stream.readinto(buffer)  # type: ignore[attr-defined]
        self.copied += size
        return size


class AdmittedRequest(HTTPRequestParser):
    """A request being received; once its headers are complete, an upload is admitted or refused."""

    completed: bool
    command = path = ""  # until the first line is read, if it can be

    def __init__(self, admission: Admission, room: Room, adjustments: Any) -> None:
        """``adjustments`` are waitress's own settings."""
        super().__init__(adjustments)
        self._admission, self._room = admission, room
        self._sender = ""  # counted by the admission until :meth:`leave`
        self._body: _Body | None = None

    def received(self, data: bytes) -> int:
        """Parse more bytes; return how many of them belong to this request."""
        in_header = not self.headers_finished
        consumed: int = super().received(data)
        if in_header and self.headers_finished and not self.completed:
            self._admit()
        elif self.error is not None and not isinstance(self.error, EarlyAnswer):
            self._refuse(_WAITRESS_ERRORS.get(self.error.code, _UNREADABLE))
        elif self.chunked and self.error is None and not self._room.suffices():
            self._refuse(no_space_error())
        if self.completed:
            self.expect_continue = False  # or waitress would ask for the body of a refused request
            self.leave()
        return consumed

    def _admit(self) -> None:
        length = None if self.chunked else self.content_length
        # Only parts of uploads are sent by PATCH.
        sender = self._admission.enter(self.headers, length, is_part=self.command == "PATCH")
        if isinstance(sender, UserError):
            self._refuse(sender)
            return
        self._sender = sender
        if not self._room.takes(self):
            self._refuse(no_space_error())

    def _refuse(self, refusal: UserError) -> None:
        self.error, self.completed = EarlyAnswer(self, refusal), True

    def to_come(self) -> int:
        """Return how many bytes it will still take on the disk: at worst the request and the exhibit.

        Of a chunked request, whose length is unknown, only the received part counts.
        """
        received: int = self.body_bytes_received
        copied = 0 if self._body is None else self._body.copied
        return 2 * max(self.content_length, received) - received - copied

    def get_body_stream(self) -> _Body:
        """Return the body for the app."""
        self._body = _Body(super().get_body_stream())
        return self._body

    def close(self) -> None:
        """Release the space of an answered or broken request."""
        super().close()
        self._room.forget(self)

    def leave(self) -> None:
        """Stop counting the upload of its sender."""
        self._admission.leave(self._sender)
        self._sender = ""


class UploadChannel(TimedChannel):
    """A connection whose requests are :class:`AdmittedRequest`."""

    request: AdmittedRequest | None

    def handle_close(self) -> None:
        """Stop counting the request being received, and remove its received part."""
        if self.request is not None:
            self.request.leave()
            self.request.close()
        super().handle_close()


def listen(app: Any, settings: Settings) -> Any:
    """Return the server, bound to its port. Raises :class:`SettingError` if that fails."""
    # The server keeps each request's body in a temporary file until it is complete. On many
    # machines /tmp is memory; the data folder is not.
    tempfile.tempdir = str(Folders.local(settings.data).incoming)
    limits = Connections(client_network, settings.proxy)
    host = settings.host.strip("[]")
    proxy: dict[str, Any] = {}  # without one, waitress believes no header about the client
    if settings.proxy:
        proxy = {
            "trusted_proxy": settings.proxy,
            "trusted_proxy_count": 1,
            "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"},
        }
    try:
        server = create_server(
            app,
            host=host,
            port=settings.port,
            # Where localhost has two addresses, two sockets would get two ports.
            ipv4=":" not in host,
            ipv6=":" in host,
            threads=_THREADS,
            ident="",
            max_request_body_size=app.config["MAX_CONTENT_LENGTH"] + 1,
            channel_timeout=300,  # of a client that does not read its response; the other limits are above
            cleanup_interval=CHECK_INTERVAL,
            connection_limit=limits.most + 50,  # beyond it nothing is accepted; one closes before
            asyncore_use_poll=True,  # select takes no more than 1024 files
            backlog=1024,
            recv_bytes=256 * 1024,  # with the default of 8 KiB a large upload takes twice the time
            **proxy,
        )
    except (OSError, ValueError) as error:
        raise SettingError(_bind_error(settings, error)) from None

    class Channel(UploadChannel):
        parser_class = functools.partial(AdmittedRequest, Admission(app), Room(settings))
        connections = limits

    server.channel_class = Channel
    waitress_maintenance = server.maintenance

    def maintenance(now: float) -> None:
        waitress_maintenance(now)
        close_overdue(server.active_channels.values())

    server.maintenance = maintenance
    return server


def _bind_error(settings: Settings, error: OSError | ValueError) -> str:
    # waitress raises ValueError for a name without an address.
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return (
            f"Port {settings.port} is in use. Stop the program that uses it, or set PORT to another number."
        )
    reason = error.strerror if isinstance(error, OSError) else "no such address"
    return (
        f"Port {settings.port} of {settings.host} cannot be listened on: {reason}. "
        "Set PORT to a number from 1024 on, and REELPROOF_HOST to an address of this machine."
    )
