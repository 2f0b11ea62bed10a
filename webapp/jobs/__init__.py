"""States of an analysis or comparison, its queue and the broker.

A job is a row. :mod:`~webapp.jobs.states` makes it, with its :mod:`~webapp.jobs.parameters`, and has what
people do to it; :mod:`~webapp.jobs.queue` says which comes first and wakes a worker up, by a message of the
:mod:`~webapp.jobs.broker`. The worker takes the :mod:`~webapp.jobs.next_job` and holds it
(:mod:`~webapp.jobs.claims`, of a comparison :mod:`~webapp.jobs.comparisons`) until it is done, or failed with
words of :mod:`~webapp.jobs.failures`. What becomes of it without its worker is in
:mod:`~webapp.jobs.recovery`; :mod:`~webapp.jobs.heartbeat` says which workers are there. The processes that
do the work are in :mod:`webapp.worker`.
"""
