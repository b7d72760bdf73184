"""A document as one self-contained page."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, Template
from markupsafe import Markup

from fat.report.chart import Panel
from fat.report.document import MARKS, Document
from fat.report.svg import as_svg


def as_html(document: Document) -> bytes:
    """The page, UTF-8."""
    return _template().render(document=document, marks=MARKS).encode()


@cache
def _template() -> Template:
    """Made once: a run has a page for each module."""
    pages = Environment(
        loader=PackageLoader("fat.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    pages.filters["svg"] = _svg
    return pages.get_template("document.html")


def _svg(panel: Panel) -> Markup:
    return Markup(as_svg(panel))  # it escapes its words
