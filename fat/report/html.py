"""A document as one self-contained page."""

from __future__ import annotations

import base64

from jinja2 import Environment, PackageLoader

from fat.report.document import MARKS, Document


def as_html(document: Document) -> bytes:
    """The page, UTF-8."""
    pages = Environment(
        loader=PackageLoader("fat.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    pages.filters["data_url"] = _data_url
    return pages.get_template("document.html").render(document=document, marks=MARKS).encode()


def _data_url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
