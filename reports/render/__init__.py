"""From the view model to HTML, PDF and the files of a result. What is said is decided in `view`."""
