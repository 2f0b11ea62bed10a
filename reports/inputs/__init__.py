"""What a report is made of beside the analysis: case details, pictures, the check of the exhibit.

:mod:`~reports.inputs.analysis_file` reads an analysis that may come from anywhere. Beside it:
:mod:`~reports.inputs.case`, whose fields :mod:`~reports.inputs.case_fields` names,
:mod:`~reports.inputs.exhibit_check`, :mod:`~reports.inputs.comparisons` with references, and what is quoted
of a :mod:`~reports.inputs.laboratory`; :class:`~reports.view.report_inputs.ReportInputs` holds what of these
is given. :mod:`~reports.inputs.pictures` finds those that the analysis names, and makes them small enough for
a report. :mod:`~reports.inputs.paths` and :mod:`~reports.inputs.crowded_json` tell what in strangers' files
must not be followed or read.
"""
