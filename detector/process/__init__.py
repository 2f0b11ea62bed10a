"""What a process of Reelproof does about itself: memory, garbage, threads, imports. Nothing here knows faces.

- :mod:`~detector.process.native_threads`: threads of native libraries, on which depends whether a process may
  be forked.
- :mod:`~detector.process.memory`: what Linux says of memory, and what goes back to it.
- :mod:`~detector.process.gc_pause`: many objects at once without a search for garbage.
- :mod:`~detector.process.sigterm`: SIGTERM as Ctrl-C.
- :mod:`~detector.process.ending_signals`: signals of a crash, and those sent by somebody else.
- :mod:`~detector.process.parent`: processes that end when the one that started them does.
- :mod:`~detector.process.standard_files`: standard output that is closed, or lacks letters.
- :mod:`~detector.process.system_errors`: what a shell is told of an error of the system.
- :mod:`~detector.process.without_modules`: packages imported without what nothing here uses of them.
"""
