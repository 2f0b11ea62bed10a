"""From bytes of a request to an exhibit on disk: uploads, resumable uploads, accepted kinds.

What is done with the exhibit then is in `services`.
"""
