"""Architectures and their ONNX graphs. Weights and cards are in the folder ``models``.

The shipped scan is :mod:`~detector.networks.efficientnet`, the network of the second look
:mod:`~detector.networks.vit_small_14_windows`, which adds a second set of upper blocks to
:mod:`~detector.networks.vit_small_14`. Designs without shipped weights are in :mod:`training.networks`.
"""
