"""The custody log as a file: its format, and how it is checked.

:mod:`~reports.custody.format` says what an entry and a log are, :mod:`~reports.custody.chain` checks the hash
chain. Rows of the log are kept by `webapp.custody`.
"""
