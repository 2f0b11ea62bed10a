"""What a reader is told of validations: a laboratory's own with plots, and the rates of the model card.

In the report of an analysis stand :mod:`~reports.view.validation.measured_errors`, those of the model card,
and what :mod:`~reports.view.validation.laboratory` takes from the laboratory's own. The report of a
validation is put together by :mod:`~reports.view.validation.validation_report`, from
:mod:`~reports.view.validation.rates` and likelihood :mod:`~reports.view.validation.ratios` of videos and of
photographs, both with :mod:`~reports.view.validation.plots`, and
:mod:`~reports.view.validation.other_models`. :mod:`~reports.view.validation.levels` has the rows and cells of
all these tables.
"""
