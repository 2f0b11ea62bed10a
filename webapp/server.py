"""The web server: waitress, with limits on connections, and uploads rejected before their body is read."""

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
# Seconds: from the first byte of a request to the end of its headers, and from one request to the next.
HEADERS_TIMEOUT, KEEP_ALIVE_TIMEOUT = 20.0, 60.0
# A body may take this long, and longer only as long as it comes at this many bytes a second on the whole.
BODY_TIMEOUT, MIN_BODY_RATE = 60.0, 500.0
CHECK_INTERVAL = 5  # seconds between two looks at the deadlines

_FILES = 4096  # that this process should be allowed to have open; half of them may be connections


class Connections:
    """All connections of one server, by where they come from. Used by the server's own thread alone."""

    def __init__(self, place_of: Callable[[str], str], proxy: str | None) -> None:
        """``place_of`` says which addresses count as one; those of ``proxy`` are of many people."""
        self._place_of = place_of
        self._unlimited = place_of(proxy) if proxy else None
        self._of: dict[str, dict[TimedChannel, None]] = {}
        self.most = min(MAX_CONNECTIONS, _files_allowed() // 2)

    def add(self, channel: TimedChannel) -> None:
        """Take in a new one; where there are too many with it, one of them closes."""
        place = self._place(channel)
        own = self._of.setdefault(place, {})
        own[channel] = None
        if place != self._unlimited and len(own) > MAX_CONNECTIONS_PER_ADDRESS:
            _close_one(own, channel)
        elif len(channel.server.active_channels) > self.most:
            _close_one(channel.server.active_channels.values(), channel)

    def remove(self, channel: TimedChannel) -> None:
        """One has closed."""
        place = self._place(channel)
        own = self._of.get(place, {})
        own.pop(channel, None)
        if not own:
            self._of.pop(place, None)

    def _place(self, channel: TimedChannel) -> str:
        return self._place_of(str(channel.addr[0]))


class TimedChannel(HTTPChannel):
    """A connection with deadlines; ``connections`` is set by the server's own subclass."""

    connections: Connections

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.waiting_since = self._begun = time.monotonic()
        self._answered, self._came = False, 0
        self.connections.add(self)

    def received(self, data: bytes) -> bool:
        """Note when a request begins, and how much of it came."""
        if self.request is None:
            self._begun, self._came = time.monotonic(), 0
        self._came += len(data)
        return bool(super().received(data))

    def service(self) -> None:
        """Answer a request; from then on the next one is waited for."""
        super().service()
        self._answered, self.waiting_since = True, time.monotonic()

    def handle_close(self) -> None:
        """It counts no more."""
        self.connections.remove(self)
        super().handle_close()

    def gives_way(self) -> bool:
        """Whether nothing is lost but time if it closes: it has not said what it wants yet."""
        saying = self.request is not None and self.request.headers_finished
        return not (saying or self._busy())

    def overdue(self, now: float) -> bool:
        """Whether it let its deadline pass."""
        if self._busy():
            return False
        if self.request is None:
            return now - self.waiting_since > (KEEP_ALIVE_TIMEOUT if self._answered else HEADERS_TIMEOUT)
        if not self.request.headers_finished:
            return now - self._begun > HEADERS_TIMEOUT
        return now - self._begun > BODY_TIMEOUT + self._came / MIN_BODY_RATE

    def _busy(self) -> bool:
        """Whether it is being answered, or closes already."""
        return bool(self.requests or self.total_outbufs_len or self.will_close)


def close_overdue(channels: Iterable[TimedChannel]) -> None:
    """Close those that let their deadlines pass, by a clock that nobody sets."""
    now = time.monotonic()
    for channel in channels:
        if channel.overdue(now):
            channel.will_close = True


def _close_one(among: Iterable[TimedChannel], newcomer: TimedChannel) -> None:
    waiting = [each for each in among if each is not newcomer and each.gives_way()]
    first = min(waiting, key=lambda each: each.waiting_since, default=newcomer)
    first.will_close = True


def _files_allowed() -> int:
    """How many files this process may have open, after asking for enough."""
    try:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    except (NameError, ValueError, OSError):
        return 512
    return _FILES if soft == resource.RLIM_INFINITY else soft


_THREADS = 24  # uploads of many people wait for each other in theirs, and pages must not wait for them
# What waitress refuses by itself, by the status it has for it; anything else is no HTTP that can be read.
_OF_WAITRESS = {
    413: UserError(
        413,
        "The request is larger than this Reelproof accepts.",
        "Hand in a smaller file, or have REELPROOF_UPLOAD_LIMIT_MB raised.",
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
    "This is no HTTP request that Reelproof can read.",
    "Use a browser or an HTTP library; with a proxy in front, look at what it passes on.",
)


class EarlyAnswer(Error):
    """The answer to a request whose body is not taken in: below ``/api/`` a problem, as the app gives it."""

    def __init__(self, request: HTTPRequestParser, refusal: UserError) -> None:
        super().__init__(str(refusal))
        self.code, self.reason = refusal.status, error_responses.problem_title(refusal.status)
        self._request_id = logs.log_early_response(request.command, refusal.status)
        self._refusal, self._to_program = refusal, request.path.startswith(error_responses.PREFIX)

    def to_response(self, ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        """Status, headers and body, for waitress."""
        status, headers, body = super().to_response(ident)
        refusal = self._refusal
        if self._to_program:
            problem = error_responses.problem_response(refusal.status, refusal.error, refusal.remedy)
            headers, body = [("Content-Type", error_responses.MEDIA_TYPE)], problem.get_data()
        if refusal.status == 401:
            headers.append(("WWW-Authenticate", error_responses.CHALLENGE))
        if refusal.retry_after is not None:
            headers.append(("Retry-After", str(refusal.retry_after)))
        return status, [*headers, (logs.HEADER, self._request_id)], body


class Room:
    """The room on the disk for uploads: what is free now, less what those let in before will still take.

    The one thread that reads lets them in; each is forgotten by the thread that has answered it.
    """

    def __init__(self, settings: Settings) -> None:
        self._incoming, self._spare = Folders.local(settings.data).incoming, settings.spare
        self._let_in: set[AdmittedRequest] = set()
        self._lock = threading.Lock()

    def takes(self, request: AdmittedRequest) -> bool:
        """Whether there is room for a request whose headers are here; from then on it has its share.

        There always is for a small one, which waits in memory: signing in, writing and deleting go on when
        the disk is full. A small file is refused where the form is read.
        """
        if not request.chunked and request.content_length <= SMALL:
            return True
        with self._lock:
            self._let_in.add(request)
        if self.suffices():
            return True
        self.forget(request)
        return False

    def suffices(self) -> bool:
        """Whether all that were let in still have room: one that does not say its size takes ever more."""
        with self._lock:
            return sum(each.to_come() for each in self._let_in) <= self._free()

    def forget(self, request: AdmittedRequest) -> None:
        """It takes no more: it was answered, or never arrived."""
        with self._lock:
            self._let_in.discard(request)

    def _free(self) -> int:
        return shutil.disk_usage(self._incoming).free - self._spare


class _Body(io.RawIOBase):
    """The body of a request that has arrived; what of it was ``taken`` has its copy on the disk already."""

    def __init__(self, arrived: BinaryIO) -> None:
        super().__init__()
        self._arrived, self.taken = arrived, 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes; how many they are."""
        size: int = self._arrived.readinto(buffer)  # type: ignore[attr-defined]
        self.taken += size
        return size


class AdmittedRequest(HTTPRequestParser):
    """A request on its way in; once its headers are here, an upload is admitted or refused."""

    completed: bool
    command = path = ""  # until its first line is read, if it can be

    def __init__(self, admission: Admission, room: Room, adjustments: Any) -> None:
        """``adjustments`` are waitress's own settings."""
        super().__init__(adjustments)
        self._admission, self._room = admission, room
        self._sender = ""  # who counts as sending it, until :meth:`leave`
        self._body: _Body | None = None  # as the app reads it

    def received(self, data: bytes) -> int:
        """Take in more bytes; how many of them belong to this request."""
        in_header = not self.headers_finished
        consumed: int = super().received(data)
        if in_header and self.headers_finished and not self.completed:
            self._admit()
        elif self.error is not None and not isinstance(self.error, EarlyAnswer):
            self._refuse(_OF_WAITRESS.get(self.error.code, _UNREADABLE))
        elif self.chunked and self.error is None and not self._room.suffices():
            self._refuse(no_space_error())
        if self.completed:
            self.expect_continue = False  # waitress would ask for the body, and read it, refused or not
            self.leave()
        return consumed

    def _admit(self) -> None:
        length = None if self.chunked else self.content_length
        # Only parts of uploads are sent by PATCH.
        entered = self._admission.enter(self.headers, length, is_part=self.command == "PATCH")
        if isinstance(entered, UserError):
            self._refuse(entered)
            return
        self._sender = entered
        if not self._room.takes(self):
            self._refuse(no_space_error())

    def _refuse(self, refusal: UserError) -> None:
        self.error, self.completed = EarlyAnswer(self, refusal), True

    def to_come(self) -> int:
        """How many bytes it will still take: at worst it is there twice, as it came and as an exhibit.

        Of one that does not say its size, as far as it has come.
        """
        came: int = self.body_bytes_received
        copied = 0 if self._body is None else self._body.taken
        return 2 * max(self.content_length, came) - came - copied

    def get_body_stream(self) -> _Body:
        """The body, for the app."""
        self._body = _Body(super().get_body_stream())
        return self._body

    def close(self) -> None:
        """It was answered, or will not be: its room is for others."""
        super().close()
        self._room.forget(self)

    def leave(self) -> None:
        """It has arrived or never will."""
        self._admission.leave(self._sender)
        self._sender = ""


class UploadChannel(TimedChannel):
    """A connection whose requests are :class:`AdmittedRequest`: closing it ends the one on its way."""

    request: AdmittedRequest | None

    def handle_close(self) -> None:
        """Stop counting the request that was on its way, and remove what had arrived of it."""
        if self.request is not None:
            self.request.leave()
            self.request.close()
        super().handle_close()


def listen(app: Any, settings: Settings) -> Any:
    """The server, bound to its port. Raises :class:`SettingError` where it cannot be."""
    # The server keeps each request's body in a temporary file until it is complete. On many
    # machines /tmp is memory; the data folder is not.
    tempfile.tempdir = str(Folders.local(settings.data).incoming)
    limits = Connections(client_network, settings.proxy)
    server = _bound(app, settings, limits.most)

    class Channel(UploadChannel):
        parser_class = functools.partial(AdmittedRequest, Admission(app), Room(settings))
        connections = limits

    server.channel_class = Channel
    of_waitress = server.maintenance

    def maintenance(now: float) -> None:
        of_waitress(now)
        close_overdue(server.active_channels.values())

    server.maintenance = maintenance
    return server


def _bound(app: Any, settings: Settings, most_connections: int) -> Any:
    """waitress with our limits, bound to the port of the settings."""
    host = settings.host.strip("[]")
    try:
        return create_server(
            app,
            host=host,
            port=settings.port,
            # Where localhost is two addresses, two sockets would get two ports.
            ipv4=":" not in host,
            ipv6=":" in host,
            threads=_THREADS,
            ident="",
            max_request_body_size=app.config["MAX_CONTENT_LENGTH"] + 1,
            channel_timeout=300,  # of one that does not read its answer; connections.py has the others
            cleanup_interval=CHECK_INTERVAL,
            connection_limit=most_connections + 50,  # beyond it nothing is accepted; one closes before
            asyncore_use_poll=True,  # select takes no more than 1024 files
            backlog=1024,
            recv_bytes=256 * 1024,  # 8 KiB, the default, takes twice the time for a large upload
            **_proxy(settings),
        )
    except (OSError, ValueError) as problem:
        raise SettingError(_not_bound(settings, problem)) from None


def _not_bound(settings: Settings, problem: OSError | ValueError) -> str:
    """Why not; waitress makes a ``ValueError`` of a name that has no address."""
    if isinstance(problem, OSError) and problem.errno == errno.EADDRINUSE:
        return (
            f"Port {settings.port} is in use. Stop the program that uses it, or set PORT to another number."
        )
    reason = problem.strerror if isinstance(problem, OSError) else "no such address"
    return (
        f"Port {settings.port} of {settings.host} cannot be listened on: {reason}. "
        "Set PORT to a number from 1024 on, and REELPROOF_HOST to an address of this machine."
    )


def _proxy(settings: Settings) -> dict[str, Any]:
    """Which proxy's headers waitress believes about the client; without one, it believes nobody's."""
    if not settings.proxy:
        return {}
    return {
        "trusted_proxy": settings.proxy,
        "trusted_proxy_count": 1,
        "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"},
    }
