"""Many files: folders, crops, the worker pool, the results file, the watched folder."""
