"""Model cards and weights: reading, checking, loading. Architectures are in `networks`, what runs them in
`backends`.

:mod:`~detector.models.card` says what a card holds, :mod:`~detector.models.model_files` finds and reads one,
:mod:`~detector.models.model_files` its weights; :mod:`~detector.models.loaded` checks both against each other
and is what an analysis takes. Of somebody else: :mod:`~detector.models.onnx_file`,
:mod:`~detector.models.loaded`. Several in one analysis: :mod:`~detector.models.loaded`. What judges
nothing: :mod:`~detector.models.model_files`.
"""
