"""The custody log's rows and key, who acts, and integrity checks: of exhibits' bytes, and of what is kept.

Format and chain are in `reports.custody`.
"""
