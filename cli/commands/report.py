"""`dlopt report RUN`: a run as one page."""

from __future__ import annotations

from .named import Run


def report(run: Run) -> None:
    """A run as one HTML page, its pictures inside.

    Writes report.html to RUN; nothing else in the run is touched.
    """
    from dlopt.store.files import write_text
    from dlopt.views.report import report_page

    from ..terminal.screen import output

    path = run / "report.html"
    write_text(path, report_page(run))
    output.print(str(path), style="cyan", soft_wrap=True)
