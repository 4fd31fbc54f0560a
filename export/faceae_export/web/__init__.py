"""A web page that draws new faces, changes faces and morphs, in the browser or with a server."""

from ._files import MODEL_NAME, SERVER_NAME, describe_server, page_files
from ._page import WebPage, WebPrecision, export_web

__all__ = [
    "MODEL_NAME",
    "SERVER_NAME",
    "WebPage",
    "WebPrecision",
    "describe_server",
    "export_web",
    "page_files",
]
