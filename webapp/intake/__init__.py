"""From bytes of a request to an exhibit on disk: uploads, resumable uploads, accepted kinds.

A form is read by :mod:`~webapp.intake.upload_request` into :mod:`~webapp.intake.incoming`, a file in parts by
:mod:`~webapp.intake.resumable`; :mod:`~webapp.intake.exhibits` makes the exhibit of either. What is done with
it then is in `services`.
"""
