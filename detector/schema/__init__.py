"""The published results: models behind docs/*.schema.json, of an analysis, a comparison and a validation.

``analysis`` is the root of a result; what it measured lies in ``measurements``, what it was computed with in
``model`` and ``method``, what the file says of itself in ``metadata`` and ``declarations``. No computation.

The API's OpenAPI document names ``model.Model``, ``metadata.Gap`` and ``comparison.Gap`` with their modules,
since each name is there twice: these three modules stay where they are.
"""
