"""Tables, migrations, the data folder, the object store and key files. No rules of the product live here."""
