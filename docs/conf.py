"""
How Sphinx builds the manual.  Everything here comes from the tree itself: the
version from the package, the configuration reference from the schema, the page of
conformance from the schema and the list that the tests are held to
(tests/conformance.py), and the examples are checked by the tests
(tests/test_documentation.py).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE = Path(__file__).parent
# Last, so that an installed wheel is preferred to the checkout.
sys.path.append(str(HERE.parent))

from smartproxy_tw import __version__  # noqa: E402

project = "smartproxy_tw"
author = "The smartproxy_tw authors"
copyright = "2026, the smartproxy_tw authors"
version = release = __version__

extensions = ["sphinx.ext.extlinks"]
exclude_patterns = ["_build"]
nitpicky = True
default_role = "literal"
highlight_language = "none"
smartquotes = False

# The reference of the Python API is pydoctor's, built into html/api.
extlinks = {"api": ("api/%s.html", "%s")}

html_theme = "alabaster"
html_static_path = ["_static"]
html_title = f"smartproxy_tw {version}"
html_show_sphinx = False
html_copy_source = False
html_theme_options = {
    "description": "HTTPS that never surprises you",
    "fixed_sidebar": True,
    "page_width": "62rem",
    "sidebar_width": "15rem",
    "font_size": "1rem",
    "extra_nav_links": {"Python API": "api/index.html"},
}
html_sidebars = {"**": ["about.html", "searchfield.html", "navigation.html"]}


class ConfigurationReference(SphinxDirective):
    """
    C{.. configuration-reference::} stands for every key of the configuration, as
    the schema has it.
    """

    def run(self) -> list[nodes.Node]:
        """
        The sections and tables.
        """
        from smartproxy_tw.config.reference import render

        return self.parse_text_to_nodes(render(), allow_section_headings=True)


class Conformance(SphinxDirective):
    """
    C{.. conformance:: options} stands for every key of the configuration with the test of what
    comes of it, C{.. conformance:: mishaps} for what went wrong elsewhere, likewise.
    """

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """
        The sections and tables.
        """
        import conformance

        render = {"options": conformance.options, "mishaps": conformance.mishaps}[self.arguments[0]]
        return self.parse_text_to_nodes(render(), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """
    Called by Sphinx.
    """
    app.add_directive("configuration-reference", ConfigurationReference)
    app.add_directive("conformance", Conformance)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
