"""Many files: folders, crops, the worker pool, the file of results, the watched folder.

:mod:`~detector.batch.run` is a run of ``score``: its files (:mod:`~detector.batch.input_files`) go to a pool
(:mod:`~detector.batch.worker_pool`), each to a confined process (:mod:`~detector.batch.confined_file`), and
its lines to a file by which it is resumed (:mod:`~detector.batch.results_file`). Analysing one file is the
business of :mod:`detector.engine`.
"""
