"""The timeline as a drawing: geometry of one figure for web page, HTML and PDF. No markup."""
