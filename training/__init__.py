"""Training, evaluation and publishing of models. Not part of the installed product."""
