"""The processes that make analyses and comparisons.

:mod:`~webapp.worker.supervisor` starts and watches :mod:`~webapp.worker.celery_worker`, which forks a process
for each job (:mod:`~webapp.worker.prompt_pool`). That goes through :mod:`~webapp.worker.run_job`, and has the
result made by :mod:`~webapp.worker.run_analysis` or :mod:`~webapp.worker.run_comparison`, in confined
processes; of these :mod:`~webapp.worker.ready_engine` has one waiting with its networks loaded. While an
analysis runs, :mod:`~webapp.worker.fingerprint_jobs` keeps its fingerprint; after it,
:mod:`~webapp.worker.prepared_report` renders its first report.
:mod:`~webapp.worker.database_retries` waits for a database that restarts;
:mod:`~webapp.worker.store_transfer` fetches from the object store and puts into it.
:mod:`~webapp.worker.stage_times` logs how long stages took; :mod:`~webapp.worker.standalone` runs workers
without pages. States and the queue are in :mod:`webapp.jobs`.
"""
