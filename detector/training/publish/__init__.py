"""From a checkpoint to weights and a model card.

:mod:`~detector.training.publish.publish` writes both; for the card
:mod:`~detector.training.publish.calibration` fits the temperature,
:mod:`~detector.training.publish.error_rates` has the rates of an evaluation, and
:mod:`~detector.training.publish.origin` says what the model was trained on.
"""
