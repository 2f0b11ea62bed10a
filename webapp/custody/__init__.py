"""The custody log's rows and key, who acts, and integrity checks.

Format and chain are in `reports.custody`.
"""
