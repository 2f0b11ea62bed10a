"""Backups of all that the web app keeps, and putting them back; not what becomes of single cases.

:mod:`~webapp.services.backups.backup` makes one, :mod:`~webapp.services.backups.restore` puts it back,
:mod:`~webapp.services.backups.backup_manifest` is the list of its files.
"""
