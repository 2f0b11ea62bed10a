"""Acts that change something, for pages and API alike. What only reads is in `queries`.

:mod:`~webapp.services.analyses` makes exhibit and analysis out of an upload, within
:mod:`~webapp.services.quota` and by one of the :mod:`~webapp.services.models` (one that is added goes through
:mod:`~webapp.services.model_check` first); :mod:`~webapp.services.comparisons` starts those with a reference.
Both have what else people do with them until they end; :mod:`~webapp.services.deletion` removes them.
:mod:`~webapp.services.sample` makes the one that a new data folder begins with.

What people do with a case is in ``cases``, what is refused for its sake in ``case_rules``, what they say of
its analyses in ``review``. ``validations`` are the laboratory's own; ``backups`` are of everything.

For workers: :mod:`~webapp.services.fingerprints`, kept and compared. Rows of earlier versions get what they
lack by :mod:`~webapp.services.older_rows`.
"""
