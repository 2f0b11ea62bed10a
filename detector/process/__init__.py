"""What a process of Reelproof does about itself: memory, garbage, threads, imports. Nothing here knows faces.

- :mod:`~detector.process.resources`: threads of native libraries, on which depends whether a process may
  be forked.
- :mod:`~detector.process.resources`: what Linux says of memory, and what goes back to it.
- :mod:`~detector.process.resources`: many objects at once without a search for garbage.
- :mod:`~detector.process.signals`: SIGTERM as Ctrl-C.
- :mod:`~detector.process.signals`: signals of a crash, and those sent by somebody else.
- :mod:`~detector.process.signals`: processes that end when the one that started them does.
- :mod:`~detector.process.console`: standard output that is closed, or lacks letters.
- :mod:`~detector.process.console`: what a shell is told of an error of the system.
- :mod:`~detector.process.resources`: packages imported without what nothing here uses of them.
"""
