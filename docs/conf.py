"""Sphinx configuration: `python -m sphinx -W -b html docs build/site` builds the site, without the network."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import sys
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert

import dlopt

# Notebooks call the `dlopt` that is beside this Python.
os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
os.environ.update(COLUMNS="80", TERM="dumb")  # as wide as a page, no moving lines

project = "dlopt"
author = "The dlopt developers"
copyright = "the dlopt developers. MIT license"
release = importlib.metadata.version("dlopt")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
source_suffix = {".md": "myst-nb", ".rst": "restructuredtext"}
root_doc = "index"
exclude_patterns = ["build"]
html_theme = "furo"
html_title = "dlopt"
html_static_path: list[str] = []
html_math_renderer = "mathml"  # browsers show it themselves: no script, no network

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 600

napoleon_use_ivar = True  # `Attributes:` beside the attributes that autodoc lists
autodoc_typehints = "description"
autodoc_member_order = "bysource"

# `Certificate` and `ModelError` exist in both halves; a plain word in a docstring may mean either.
suppress_warnings = ["ref.python"]

PUBLIC = ("dlopt", "dlopt.models", "dlopt.choice", "dlopt.policies", "dlopt.calibrations", "dlopt.framework")
"""Packages whose public names have a page each; names load on first use, so they are asked for here."""
for _package in map(importlib.import_module, PUBLIC):
    for _name in _package.__all__:
        getattr(_package, _name)


def front_door_first(app: Any, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Leaves out of the page of a package what the page of the front door describes."""
    page = app.env.current_document.docname
    if page != "api/dlopt" and name in dlopt.__all__ and getattr(dlopt, name) is thing:
        return True
    return None


def inline_math(translator: Any, node: nodes.math) -> None:
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def display_math(translator: Any, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="math">{convert(node.astext(), display="block")}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> None:
    app.add_html_math_renderer("mathml", (inline_math, None), (display_math, None))
    app.connect("autodoc-skip-member", front_door_first)
