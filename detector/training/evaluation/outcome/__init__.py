"""What one evaluation found: what a model got wrong (:mod:`.failures`), and all of it together.

:mod:`.evaluation_result` holds it, :mod:`.html_page` shows it.
"""
