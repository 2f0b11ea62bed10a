"""What runs a network: torch, ONNX Runtime or OpenVINO, one file each, and the choice between them.

:mod:`~detector.backends.selection` gives what runs a model: by the back end that was named, else by what is
installed and whether there is a graph of the architecture. That is a ``Backend``
(:mod:`~detector.backends.base`): :mod:`~detector.backends.torch`, :mod:`~detector.backends.onnxruntime` or
:mod:`~detector.backends.openvino`. A network that came as an ONNX file is run by one of the last two inside
:mod:`~detector.backends.onnx_file`, which turns its output into logits; :mod:`~detector.backends.trial` tries
it on a batch of crops before somebody's model is taken in.
"""
