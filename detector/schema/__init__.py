"""The published results: models behind docs/*.schema.json, of an analysis, a comparison and a validation.

:mod:`~detector.schema.analysis` is the root of a result; what it measured lies in ``measurements``, what it
was computed with in :mod:`~detector.schema.model` and ``method`` (of several models by a
:mod:`~detector.schema.method`; of a network in an ONNX file, :mod:`~detector.schema.model`), what
the file says of itself in :mod:`~detector.schema.metadata` and :mod:`~detector.schema.metadata`.
:mod:`~detector.schema.analysis` is an analysis in a few fields. :mod:`~detector.schema.comparison` is the
root of a comparison, ``laboratory`` has validations. All are made of what :mod:`~detector.schema.base` has.

How values are written and compared, one way everywhere: :mod:`~detector.schema.formatting` (times,
probabilities, names), :mod:`~detector.schema.formatting` (characters that nobody sees),
:mod:`~detector.schema.formatting`, :mod:`~detector.schema.geometry`, :mod:`~detector.schema.geometry`.
:mod:`~detector.schema.formatting` marks words of results for translation. No stage of the engine is here.
"""
