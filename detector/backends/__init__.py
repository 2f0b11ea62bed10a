"""What runs a network: torch, ONNX Runtime or OpenVINO, one file each, and the choice between them."""
