"""Back ends that run networks: torch, ONNX Runtime and OpenVINO, and the selection of one of them."""
