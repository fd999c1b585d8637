"""The page that granian serves: an ASGI application."""

from __future__ import annotations

from typing import Any

PAGE = b"tlswire\n"


async def app(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(PAGE))]})
    await send({"type": "http.response.body", "body": PAGE})
