"""What the file itself says and shows of its making, in words. No markup.

:mod:`~reports.view.metadata.view` is the section; of its parts :mod:`~reports.view.metadata.encoding`,
:mod:`~reports.view.metadata.timing` and :mod:`~reports.view.metadata.credentials` have modules of their own.
"""
