"""Run the installation: health, metrics, alerts, backup.

:mod:`~webapp.operations.alerts` gathers the installation's state, for :mod:`~webapp.operations.pages` and
:mod:`~webapp.operations.metrics` as well. :mod:`~webapp.operations.health` answers monitoring.
:mod:`~webapp.operations.backup` and :mod:`~webapp.operations.restore` are called by commands.
"""
