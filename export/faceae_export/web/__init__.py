"""A web page that draws new faces in the browser."""

from ._page import WebPage, WebPrecision, export_web

__all__ = [
    "WebPage",
    "WebPrecision",
    "export_web",
]
