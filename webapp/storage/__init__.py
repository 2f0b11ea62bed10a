"""Tables, migrations, the data folder, the object store, and key files. No rules of the product.

- :mod:`~webapp.storage.data_folder` knows where files lie. With an :mod:`~webapp.storage.object_store` its
  copy is the kept one: a result goes there as a tar (:mod:`~webapp.storage.folder_tar`), and what goes wrong
  is said by :mod:`~webapp.storage.store_errors`.
- :mod:`~webapp.storage.database` opens the ``tables`` and brings them up to date by ``migrations``;
  :mod:`~webapp.storage.database_copy` has all rows in one file, for backups.
- :mod:`~webapp.storage.key_files` lie outside of the database, and are made once.
- :mod:`~webapp.storage.blind_exhibits` and :mod:`~webapp.storage.reviewed_analyses` are questions to the
  tables that several packages above ask.
"""
