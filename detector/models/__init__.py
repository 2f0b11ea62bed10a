"""Model cards and weights: reading, checking, loading. Architectures are in `networks`, what runs them in
`backends`.

:mod:`~detector.models.card` says what a card holds, :mod:`~detector.models.card_files` finds and reads one,
:mod:`~detector.models.weights` its weights; :mod:`~detector.models.loaded` checks both against each other
and is what an analysis takes. Of somebody else: :mod:`~detector.models.onnx_file`,
:mod:`~detector.models.validate`. Several in one analysis: :mod:`~detector.models.together`. What judges
nothing: :mod:`~detector.models.small_networks`.
"""
