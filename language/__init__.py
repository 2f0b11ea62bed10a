"""Language of reports and pages: message catalogues, stored messages, numbers, dates and names."""
