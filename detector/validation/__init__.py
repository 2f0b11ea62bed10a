"""A laboratory's own validation: labelled material in, ``validation.json`` out.

:mod:`~detector.validation.conclude` has the steps: :mod:`~detector.validation.material` is read,
:mod:`~detector.validation.measuring` sends whole files through the engine as it ships, as in a batch run, and
of the measurements become error rates (:mod:`~detector.validation.rates`, each with its interval by
:mod:`~detector.validation.shares`; :mod:`~detector.validation.other_models`), likelihood ratios
(:mod:`~detector.validation.likelihood`) and limits (:mod:`~detector.validation.limits`);
:mod:`~detector.validation.versions` says with what all of it was computed. :mod:`~detector.validation.quoted`
makes the extract that reports quote; whether it speaks for an analysis,
:mod:`~detector.validation.model_used` says.

What training measures of a model before it ships is in :mod:`detector.training.evaluation`, whose figures and
intervals are used here.
"""
