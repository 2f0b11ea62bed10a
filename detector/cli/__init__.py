"""Commands of `python -m detector`. What they do is in the packages they call.

:mod:`~detector.cli.main` makes the parser and runs one. :mod:`~detector.cli.analyze`,
:mod:`~detector.cli.score`, :mod:`~detector.cli.compare`, :mod:`~detector.cli.annotate`,
:mod:`~detector.cli.validate` and :mod:`~detector.cli.setup_check` have the command of their name,
:mod:`~detector.cli.watch_and_live`, :mod:`~detector.cli.training` and :mod:`~detector.cli.shipped` several
each. Commands share :mod:`~detector.cli.engine_options`, and :mod:`~detector.cli.progress` for what they
print for people.
"""
