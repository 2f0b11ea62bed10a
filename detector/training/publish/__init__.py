"""From a checkpoint to weights and a model card.

:mod:`~detector.training.publish.publish` makes both and has the card written by
:mod:`~detector.training.publish.card_writing`. What stands in it:
:mod:`~detector.training.publish.calibration` fits the temperature,
:mod:`~detector.training.publish.error_rates` has the rates of an evaluation, and
:mod:`~detector.training.publish.origin` says what the model was trained on.
"""
