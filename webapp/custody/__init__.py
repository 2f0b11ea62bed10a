"""The custody log: its entries and key, its page and API, and the checks of stored records against it."""
