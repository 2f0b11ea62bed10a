"""Tables, migrations, the data folder, the object store and key files. No rules of the product live here.

:mod:`~webapp.storage.tables` declares the tables, :mod:`~webapp.storage.database` opens, migrates and
copies them, and :mod:`~webapp.storage.second_reviews` has queries about them that several features share.
:mod:`~webapp.storage.data_folder` knows where files are, :mod:`~webapp.storage.object_store` the store that
may be behind it, and :mod:`~webapp.storage.key_files` the keys beside the database.
"""
