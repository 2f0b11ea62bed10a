"""A process for handling untrusted files: limited, cut off from the network, and monitored.

FFmpeg, Pillow and OpenCV are large C libraries that parse whatever somebody made. They run in a process of
their own, which this package starts and confines:

    with Sandbox(analyse, path, limits=Limits(), places=AllowedPaths(readable=(path,))) as confined:
        result = confined.result(report)

docs/confinement.md describes what is covered.
"""

from detector.sandbox.confined_process import Sandbox, UnexpectedError, refuse_links
from detector.sandbox.kernel import AllowedPaths, Capabilities, Limits, capabilities, confine
from detector.sandbox.monitor import CrashError, KilledError, LimitError
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
