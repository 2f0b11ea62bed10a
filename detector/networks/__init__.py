"""Architectures, one file each, and their ONNX graphs. Weights and cards are in ``models``.

:mod:`~detector.networks.base` registers them by name; :mod:`~detector.networks.base` is imported
first, so that they load sooner. The shipped scan is :mod:`~detector.networks.efficientnet`, the second
network :mod:`~detector.networks.vit_small_14`, which is :mod:`~detector.networks.vit_small_14`
with heads for patches. These two transformers are a :mod:`~detector.networks.vit_small_14`, which sees two
framings and gives the logits that :mod:`~detector.networks.graphs` names. All others give one logit, and
are those of the leaderboard: :mod:`~training.networks`,
:mod:`~training.networks`, the shortest, a head on features of it
(:mod:`~training.networks`), and two that read faces over time
(:mod:`~detector.networks.efficientnet`, :mod:`~training.networks`) on a
common base (:mod:`~detector.networks.efficientnet`).

:mod:`~detector.networks.efficientnet` starts a larger network from a trained Lite0, before training;
:mod:`~detector.networks.trace_graphs` writes the files that :mod:`~detector.networks.graphs` reads;
:mod:`~detector.networks.base` changes a network before torch scores with it.
"""
