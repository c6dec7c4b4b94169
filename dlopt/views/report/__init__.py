"""One readable page about a run, or about several.

from dlopt.views.report import report_page
html = report_page(Path("outputs/nash/2026-01-31/12-00-00-000000-dual"))
"""

from dlopt.views.report.page import report_page

__all__ = ["report_page"]
