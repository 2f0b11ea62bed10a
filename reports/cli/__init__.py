"""Commands of `python -m reports`. What they do is in the packages they call.

:mod:`~reports.cli.main` makes the parser and runs one; :mod:`~reports.cli.render`,
:mod:`~reports.cli.export`, :mod:`~reports.cli.sign` and :mod:`~reports.cli.verify` are one command each.
:mod:`~reports.cli.case_options` has the options for the case, which `python -m detector analyze` takes as
well.
"""
