"""What is refused for the sake of a case: to who is not in it, and to anybody once it is closed.

:mod:`~webapp.services.case_rules.write_access` says whether somebody may change what is in a case at all,
:mod:`~webapp.services.case_rules.comparing` the same of comparisons, which belong to cases by their exhibits.
"""
