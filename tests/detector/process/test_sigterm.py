"""SIGTERM acts like Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from waiting import PATIENCE

from detector.files import ROOT
from detector.process.signals import Terminated, exit_status, sigterm_interrupts


def test_sigterm_interrupts_the_block_only():
    with pytest.raises(Terminated) as stopped, sigterm_interrupts():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    assert exit_status(stopped.value) == 143 and exit_status(KeyboardInterrupt()) == 130
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_fork_ends_at_once():
    with sigterm_interrupts():
        reader, writer = os.pipe()
        if not (child := os.fork()):
            os.write(writer, b"!")  # a signal that came while it was forked would be lost
            time.sleep(60)
            os._exit(0)
        os.read(reader, 1)
        os.kill(child, signal.SIGTERM)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGTERM
        os.close(reader)
        os.close(writer)


def test_ignored_sigterm_stays_ignored():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with sigterm_interrupts():
            os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def test_another_thread_sets_no_handler():
    def other() -> None:
        with sigterm_interrupts():
            handlers.append(signal.getsignal(signal.SIGTERM))

    handlers: list[object] = []
    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert handlers == [signal.SIG_DFL]


@pytest.mark.parametrize(
    ("work", "status"),
    [
        # Python ignores what is raised in a finalizer, and goes on.
        (
            "signals._PATIENCE = 1\n"
            "with signals.sigterm_interrupts():\n  print('ready', flush=True)\n  run()",
            -14,
        ),
        # Native code in which no handler is called.
        (
            "with signals.sigterm_interrupts(), signals.sigterm_ends():\n  print('ready', flush=True)\n"
            "  hashlib.pbkdf2_hmac('sha256', b'a', b'b', 10**9)",
            -15,
        ),
    ],
)
def test_a_process_ends_whatever_it_does(work: str, status: int) -> None:
    code = (
        "import hashlib, time\nfrom detector.process import signals\n"
        "class Loop:\n  def __del__(self):\n    time.sleep(600)\n"
        f"def run():\n  while True:\n    Loop()\n{work}"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == status
