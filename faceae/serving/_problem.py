"""Errors of a request, as RFC 9457 problem details."""

import re
from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"

_REMEDY = re.compile(r"`([a-z_]+)=([^`]*)`")


class Problem(Exception):
    """A request that the server refuses: a status and one line that names the remedy."""

    def __init__(
        self, status: int, detail: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        """Describe the problem.

        Args:
            status: HTTP status, from 400 on.
            detail: one line for a person. Parameters are in backquotes.
            headers: more headers of the response.
        """
        super().__init__(detail)
        self.status = status
        self.detail = _spell_as_json(detail)
        self.headers = dict(headers or {})

    def respond(self, request_id: str) -> JSONResponse:
        """Return the response.

        `error` repeats `detail`, because KServe's clients read it.
        """
        content = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "error": self.detail,
            "request_id": request_id,
        }
        return JSONResponse(content, self.status, self.headers, MEDIA_TYPE)


def _spell_as_json(detail: str) -> str:
    """Return a library's message in one line, with remedies as JSON spells them."""
    booleans = {"True": "true", "False": "false"}

    def spell(match: re.Match[str]) -> str:
        return f'`"{match[1]}": {booleans.get(match[2], match[2])}`'

    return _REMEDY.sub(spell, " ".join(detail.split()))
