"""What is handed to people: reports, bundles and exports, each recorded in the custody log.

How a report is made is in `reports`.
"""
