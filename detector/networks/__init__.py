"""Architectures, one file each, and their ONNX graphs. Weights and cards are in ``models``.

:mod:`~detector.networks.base` registers them by name. The shipped scan is
:mod:`~detector.networks.efficientnet_lite0`, the second look :mod:`~detector.networks.vit_small_14`, whose
logits :mod:`~detector.networks.readings` names; the others are those of the leaderboard.
:mod:`~detector.networks.trace_graphs` writes what :mod:`~detector.networks.graphs` reads;
:mod:`~detector.networks.fuse_batchnorm` and :mod:`~detector.networks.grow` change networks before use and
before training.
"""
