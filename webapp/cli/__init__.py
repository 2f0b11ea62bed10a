"""Commands of `python -m webapp COMMAND`. What they do is in the packages they call.

:mod:`~webapp.cli.main` makes the parser and runs one: of :mod:`~webapp.cli.accounts`,
:mod:`~webapp.cli.tokens`, :mod:`~webapp.cli.custody` log, :mod:`~webapp.cli.backup` or
:mod:`~webapp.cli.object_store`, or :mod:`~webapp.cli.settings_doc`. :mod:`~webapp.cli.existing_database`
opens the database as it is: no command brings tables up to date.
"""
