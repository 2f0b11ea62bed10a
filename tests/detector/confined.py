"""What tests of the confined process send into it."""

from __future__ import annotations

import errno

import cloudpickle


def called(target: bytes, *arguments):
    """Functions within a test, which pickle could not hand to a process started afresh."""
    return cloudpickle.loads(target)(*arguments)


def error_of(problem: OSError) -> str:
    return errno.errorcode[problem.errno or 0]
