"""Refuse system calls to a confined process, with a classic BPF filter that the kernel enforces."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

_PR_SET_SECCOMP = 22
_MODE_FILTER = 2
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data, little endian
_ARGUMENT = 8  # bytes of each
_X32 = 0x40000000
_CLONE_THREAD = 0x00010000

# AUDIT_ARCH_* of each processor, and its column in the tables of call numbers.
_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
# Call numbers on x86_64 and aarch64 by group and name; None if a processor lacks the call.
_NETWORK = "the network"
REFUSED_CALLS: dict[str, dict[str, tuple[int | None, int | None]]] = {
    _NETWORK: {
        "socket": (41, 198), "connect": (42, 203),
    },
    "other programs and processes": {
        "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281),
        "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
        "process_madvise": (440, 440), "process_mrelease": (448, 448), "kcmp": (312, 272),
        "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424), "pidfd_getfd": (438, 438),
        "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "tkill": (200, 130),
        "setpriority": (141, 140), "ioprio_set": (251, 30), "migrate_pages": (256, 238),
        "move_pages": (279, 239),
    },
    # Landlock controls none of these, so they could change a file that may only be read.
    "owner, mode, times and attributes of files": {
        "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
        "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54),
        "utime": (132, None), "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88),
        "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "setxattrat": (463, 463),
        "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
        "removexattrat": (466, 466), "file_setattr": (469, 469),
    },
    "memory and queues shared with others, which outlive it": {
        "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190),
        "semop": (65, 193), "semctl": (66, 191), "semtimedop": (220, 192), "msgget": (68, 186),
        "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187), "mq_open": (240, 180),
        "mq_unlink": (241, 181),
    },
    "watching what others do": {
        "inotify_init": (253, None), "inotify_init1": (294, 26), "inotify_add_watch": (254, 27),
        "fanotify_init": (300, 262), "fanotify_mark": (301, 263), "name_to_handle_at": (303, 264),
        "open_by_handle_at": (304, 265), "syslog": (103, 116), "perf_event_open": (298, 241),
    },
    "the machine, and ways around other limits": {
        "mount": (165, 40), "umount2": (166, 39), "move_mount": (429, 429), "open_tree": (428, 428),
        "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
        "mount_setattr": (442, 442), "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97),
        "setns": (308, 268), "mknod": (133, None), "mknodat": (259, 33), "quotactl": (179, 60),
        "acct": (163, 89), "swapon": (167, 224), "swapoff": (168, 225), "reboot": (169, 142),
        "sethostname": (170, 161), "setdomainname": (171, 162), "settimeofday": (164, 170),
        "clock_settime": (227, 112), "adjtimex": (159, 171), "clock_adjtime": (305, 266),
        "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
        "kexec_load": (246, 104), "kexec_file_load": (320, 294), "bpf": (321, 280),
        "userfaultfd": (323, 282), "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
        "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    },
}  # fmt: skip
_CLONE, _CLONE3 = (56, 220), (435, 435)
_SIGNAL_CALLS = ((62, 129), (234, 131))  # kill, tgkill: only with its own id as the first argument
# prlimit64, sched_setparam, sched_setscheduler, sched_setattr: only for itself, given by its id or 0.
_SELF_CALLS = ((302, 261), (142, 118), (144, 119), (314, 274))

# If the network is allowed: IPv4 and IPv6 with TCP and UDP. Landlock does not restrict the ports of other
# protocols, such as Multipath TCP, nor of connections opened by sending.
_SOCKET, _FAMILIES, _PROTOCOLS = (41, 198), (2, 10), (0, 6, 17)
_SENDING = (((44, 206), 3), ((46, 211), 2), ((307, 269), 3))  # sendto, sendmsg, sendmmsg; argument with flags
_MSG_FASTOPEN = 0x20000000


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def refuse_calls(*, network: bool = False) -> bool:
    """Refuse the calls above in this process and its threads, for good; return False if impossible.

    A refused call fails with EPERM. With ``network`` the process may use TCP and UDP sockets. Needs
    ``PR_SET_NO_NEW_PRIVS``.
    """
    program = _filter(network)
    if program is None:
        return False
    buffer = ctypes.create_string_buffer(program, len(program))
    filter_program = _Program(len(program) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(filter_program), 0, 0) == 0)


def _filter(network: bool) -> bytes | None:
    """Build the program that Linux runs before each call; None on a processor without call numbers here.

    A step skips as many of the following ones as it names for a true and a false result. ``column`` is the
    processor's column in the tables.
    """
    architecture = _ARCHITECTURES.get(platform.machine())
    if architecture is None:
        return None
    audit, column = architecture
    refuse = _ERRNO | errno.EPERM
    program = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_EQUAL, audit, 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
    ]
    if column == 0:  # calls of the x32 ABI have numbers of their own
        program += [_step(_AT_LEAST, _X32, 0, 1), _step(_RETURN, refuse)]
    if network:
        program += _network_steps(column, refuse)
    for name, family in REFUSED_CALLS.items():
        for numbers in () if network and name == _NETWORK else family.values():
            if (number := numbers[column]) is not None:
                program += [_step(_EQUAL, number, 0, 1), _step(_RETURN, refuse)]
    program += [*_threads_alone(column, refuse), *_itself_alone(column, refuse), _step(_RETURN, _ALLOW)]
    return b"".join(program)


def _threads_alone(column: int, refuse: int) -> list[bytes]:
    """Allow clone for threads but not for processes."""
    return [
        # The flags of clone3 are in memory, invisible to filters; the C library falls back to clone.
        _step(_EQUAL, _CLONE3[column], 0, 1),
        _step(_RETURN, _ERRNO | errno.ENOSYS),
        _step(_EQUAL, _CLONE[column], 0, 4),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_ANY_BIT, _CLONE_THREAD, 0, 1),
        _step(_RETURN, _ALLOW),
        _step(_RETURN, refuse),
    ]


def _itself_alone(column: int, refuse: int) -> list[bytes]:
    """Allow calls about a process only for this one, which some of them also identify by 0."""
    steps = []
    for numbers in _SIGNAL_CALLS:
        steps += [
            _step(_EQUAL, numbers[column], 0, 4),
            _step(_LOAD, _FIRST_ARGUMENT),
            _step(_EQUAL, os.getpid(), 0, 1),
            _step(_RETURN, _ALLOW),
            _step(_RETURN, refuse),
        ]
    for numbers in _SELF_CALLS:
        steps += [
            _step(_EQUAL, numbers[column], 0, 5),
            _step(_LOAD, _FIRST_ARGUMENT),
            _step(_EQUAL, 0, 1, 0),
            _step(_EQUAL, os.getpid(), 0, 1),
            _step(_RETURN, _ALLOW),
            _step(_RETURN, refuse),
        ]
    return steps


def _network_steps(column: int, refuse: int) -> list[bytes]:
    """Allow sockets of certain families and protocols only, and no sending that opens a connection."""
    steps = [
        _step(_EQUAL, _SOCKET[column], 0, 10),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_EQUAL, _FAMILIES[0], 2, 0),
        _step(_EQUAL, _FAMILIES[1], 1, 0),
        _step(_RETURN, refuse),
        _step(_LOAD, _FIRST_ARGUMENT + 2 * _ARGUMENT),
        *(_step(_EQUAL, protocol, 3 - place, 0) for place, protocol in enumerate(_PROTOCOLS)),
        _step(_RETURN, refuse),
        _step(_RETURN, _ALLOW),
    ]
    for numbers, which in _SENDING:
        steps += [
            _step(_EQUAL, numbers[column], 0, 4),
            _step(_LOAD, _FIRST_ARGUMENT + which * _ARGUMENT),
            _step(_ANY_BIT, _MSG_FASTOPEN, 0, 1),
            _step(_RETURN, refuse),
            _step(_RETURN, _ALLOW),
        ]
    return steps


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
