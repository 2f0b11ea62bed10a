"""A process for what strangers' files do: limited, cut off from the network, and watched.

FFmpeg, Pillow and OpenCV are large programs in C that read whatever somebody made. What they
do with it they do in a process of their own, which this package starts and confines:

    with Sandbox(analyse, path, limits=Limits(), places=AllowedPaths(readable=(path,))) as confined:
        result = confined.result(report)

:mod:`~detector.sandbox.limits` says what it may use, :mod:`~detector.sandbox.kernel`,
:mod:`~detector.sandbox.landlock` and :mod:`~detector.sandbox.seccomp` hold it to that,
:mod:`~detector.sandbox.monitor` sees from outside that they do, :mod:`~detector.sandbox.scratch` makes the
folders of its temporary files, :mod:`~detector.sandbox.process` is the process, and
:mod:`~detector.sandbox.ready` one that waits for its job with everything loaded. docs/confinement.md says
what is covered.
"""

from detector.sandbox.kernel import Capabilities, capabilities, confine
from detector.sandbox.limits import AllowedPaths, Limits
from detector.sandbox.monitor import CrashError, KilledError, LimitError
from detector.sandbox.process import Sandbox, UnexpectedError, refuse_links
from detector.sandbox.ready import NotReadyError, ReadySandbox

__all__ = [
    "Sandbox",
    "ReadySandbox",
    "NotReadyError",
    "CrashError",
    "KilledError",
    "LimitError",
    "Limits",
    "Capabilities",
    "AllowedPaths",
    "UnexpectedError",
    "confine",
    "capabilities",
    "refuse_links",
]
