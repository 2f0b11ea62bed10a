"""The view model of a report, one file a section: an analysis in words, numbers and drawings. No markup."""
