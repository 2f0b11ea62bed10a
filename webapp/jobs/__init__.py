"""States of an analysis or comparison, its queue and the broker.

What people do to a job is in :mod:`~webapp.jobs.states`, what its worker does in
:mod:`~webapp.jobs.claims` (of a comparison in :mod:`~webapp.jobs.comparisons`), what becomes of it without
its worker in :mod:`~webapp.jobs.recovery`. :mod:`~webapp.jobs.queue` says which comes first. The processes
that do the work are in :mod:`webapp.worker`.
"""
