"""Training, fusing and measuring the second look, the stronger network beside the one that scans.

``__main__`` names the steps in their order: :mod:`.training_steps` lead to weights, :mod:`.measuring_steps`
measure, fit and ship them; what they call lies beside them, in ``examples``, ``fitting`` and
``measuring``.
"""
