"""A process for what strangers' files do: limited, cut off from the network, and watched.

FFmpeg, Pillow and OpenCV are large programs in C that read whatever somebody made. What they
do with it they do in a process of their own, which this package starts and confines:

    with Confined(analyse, path, limits=Limits(), places=Places(readable=(path,))) as confined:
        result = confined.result(report)

:mod:`~detector.confinement.limits` says what it may use, :mod:`~detector.confinement.kernel`,
:mod:`~detector.confinement.landlock` and :mod:`~detector.confinement.seccomp` hold it to that,
:mod:`~detector.confinement.watching` sees from outside that they do, and
:mod:`~detector.confinement.process` is the process. docs/security.md says what is covered.
"""

from detector.confinement.kernel import Means, confine, means
from detector.confinement.limits import Limits, Places
from detector.confinement.process import Confined, UnexpectedError, refuse_links
from detector.confinement.watching import CrashError, KilledError, LimitError

__all__ = [
    "Confined",
    "CrashError",
    "KilledError",
    "LimitError",
    "Limits",
    "Means",
    "Places",
    "UnexpectedError",
    "confine",
    "means",
    "refuse_links",
]
