"""One page on which several runs are looked at from all sides, without a server.

from dlopt.views.explore import explore_page
html = explore_page([Path("outputs/nash/2026-01-31/12-00-00-000000-dual")])
"""

from dlopt.views.explore.page import explore_page

__all__ = ["explore_page"]
