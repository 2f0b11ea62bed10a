"""The custody log's rows and key, who acts, and checks: of exhibits' bytes, and of what else is kept.

- :mod:`~webapp.custody.log` appends entries, :mod:`~webapp.custody.log_queries` reads them;
  :mod:`~webapp.custody.actors` says who acts.
  :mod:`~webapp.custody.startup` opens the log when the app starts, or begins it, unless the database was lost
  (:mod:`~webapp.custody.lost_database`).
- What is kept is compared with the entries when it is read (``records``), and refused where it differs
  (:mod:`~webapp.custody.altered`). :mod:`~webapp.custody.audit` compares everything that is kept with all
  that the log says (:mod:`~webapp.custody.logged_state`), for ``verify-log``.
- :mod:`~webapp.custody.integrity` hashes exhibits again, on a schedule and before reports; daily it has
  :mod:`~webapp.custody.self_check` go through the log's chain.

Format and chain are in `reports.custody`.
"""
