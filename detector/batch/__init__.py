"""Many files: folders, crops, the worker pool, the file of results, the watched folder.

:mod:`~detector.batch.run` is a run of ``score``: its files (:mod:`~detector.batch.input_files`) go to a pool
(:mod:`~detector.batch.worker_pool`), each to a confined process (:mod:`~detector.batch.confined_file`), and
its lines (:mod:`~detector.batch.result_line`) to a file by which it is resumed
(:mod:`~detector.batch.results_file`). Models asked for beside the first go along as names
(:mod:`~detector.batch.other_model_names`). Crops of one face each (:mod:`~detector.batch.crops`) are decoded
in confined processes (:mod:`~detector.batch.crop_pictures`), and scored in batches by that of the run.

:mod:`~detector.batch.watch_folder` is ``watch``: one file after the other as they arrive, without the pool.
Analysing one file is the business of :mod:`detector.engine`.
"""
