"""A page that draws faces in the visitor's browser."""

from ._page import WebPage, WebPrecision, export_web

__all__ = [
    "WebPage",
    "WebPrecision",
    "export_web",
]
