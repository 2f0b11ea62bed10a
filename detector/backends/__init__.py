"""What runs a network: torch, ONNX Runtime or OpenVINO, one file each, and the choice between them.

:mod:`~detector.backends.selection` gives what runs a model: by the back end that was named, else by what is
installed and whether there is a graph of the architecture. That is a ``Backend``
(:mod:`~detector.backends.runtimes`): :mod:`~detector.backends.torch`, :mod:`~detector.backends.runtimes` or
:mod:`~detector.backends.runtimes`. A network that came as an ONNX file is run by one of the last two inside
:mod:`~detector.backends.runtimes`, which turns its output into logits; :mod:`~detector.backends.selection`
tries it on a batch of crops before somebody's model is taken in.
"""
