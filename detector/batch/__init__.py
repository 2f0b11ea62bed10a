"""Many files: folders, crops, the worker pool, the file of results, the watched folder.

One file is `detector.engine`.
"""
