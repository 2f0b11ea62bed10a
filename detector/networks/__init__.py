"""Architectures, one file each, and their ONNX graphs. Weights and cards are in ``models``.

:mod:`~detector.networks.base` registers them by name; :mod:`~detector.networks.without_compiler` is imported
first, so that they load sooner. The shipped scan is :mod:`~detector.networks.efficientnet_lite0`, the second
network :mod:`~detector.networks.vit_small_14_patch_heads`, which is :mod:`~detector.networks.vit_small_14`
with heads for patches. These two transformers are a :mod:`~detector.networks.framing_network`, which sees two
framings and gives the logits that :mod:`~detector.networks.readings` names. All others give one logit, and
are those of the leaderboard: :mod:`~detector.networks.efficientnet_b1`,
:mod:`~detector.networks.resnet18`, the shortest, a head on features of it
(:mod:`~detector.networks.resnet18_features_mlp`), and two that read faces over time
(:mod:`~detector.networks.efficientnet_lstm`, :mod:`~detector.networks.efficientnet_b3_transformer`) on a
common base (:mod:`~detector.networks.efficientnet_sequence`).

:mod:`~detector.networks.grow` starts a larger network from a trained Lite0, before training;
:mod:`~detector.networks.trace_graphs` writes the files that :mod:`~detector.networks.graphs` reads;
:mod:`~detector.networks.fuse_batchnorm` changes a network before torch scores with it.
"""
