"""Cases: their analyses, members and details, from creation to export, closing and purging."""
