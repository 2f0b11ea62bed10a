"""Architectures, one file each, and their ONNX graphs. Weights and cards are in `models`."""
