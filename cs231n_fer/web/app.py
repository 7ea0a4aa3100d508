"""The addresses of the server: the files of the page, and three that answer it in JSON."""
from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

try:
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route
except ImportError as error:
    raise ImportError(f"the page needs the libraries starlette and uvicorn ({error}); "
                      'pip install "cs231n_fer[web]"') from error

from ..classifiers.pretrained import PretrainedNet
from ..shapes import check
from . import answers
from .guard import Guard, Rate

__all__ = ["LARGEST_PHOTO", "PAGE", "make_app"]

LARGEST_PHOTO = 16 << 20    # bytes
LARGEST_FACE = 1 << 12
HERE = Path(__file__).parent
PAGE = {"page.html": "text/html", "page.css": "text/css",
        **dict.fromkeys(["page.js", "server.js", "stage.js", "result.js", "camera.js", "faces.js"],
                        "text/javascript")}


def make_app(net: PretrainedNet, rate: Rate | None = None) -> Guard:
    """Return the server as an ASGI app; it keeps nothing of what it is sent.

    net     names the emotions
    rate    how many requests are answered; None for as many as a page needs
    """
    known = answers.about(net)  # which also compiles every kernel that the page needs
    alone = asyncio.Lock()

    async def compute(answer: Callable[..., dict[str, Any]], *given: Any, **options: Any
                      ) -> Response:
        """Compute one answer at a time: every one of them uses all threads of the kernels."""
        async with alone:
            try:
                return JSONResponse(await run_in_threadpool(answer, net, *given, **options))
            except (ValueError, ImportError) as error:
                return JSONResponse({"error": str(error)}, 422)

    async def about(request: Request) -> Response:
        return JSONResponse(known)

    async def photo(request: Request) -> Response:
        content = await body(request, "application/octet-stream", LARGEST_PHOTO)
        return await compute(answers.photo, content,
                             whole_picture=request.query_params.get("whole") == "1",
                             live=request.query_params.get("live") == "1")

    async def face(request: Request) -> Response:
        content = await body(request, "application/json", LARGEST_FACE)
        try:
            wanted = json.loads(content)
            check(isinstance(wanted, dict) and wanted.keys() <= {"index", "units", "expression"},
                  f"got {content[:60]!r}, expected index, and units or expression")
        except (ValueError, RecursionError) as error:
            return JSONResponse({"error": f"not such a JSON object: {error}"}, 422)
        return await compute(answers.face, wanted.get("index"), wanted.get("units"),
                             wanted.get("expression"))

    routes = [Route(f"/{name}", page_file(name)) for name in PAGE]
    routes += [Route("/", page_file("page.html")), Route("/about", about),
               Route("/photo", photo, methods=["POST"]), Route("/face", face, methods=["POST"])]
    return Guard(Starlette(routes=routes), rate or Rate())


def page_file(name: str) -> Callable[[Request], Response]:
    """Return the endpoint of a file of the page, which is read once."""
    content = (HERE / name).read_bytes()
    return lambda request: Response(content, media_type=PAGE[name])


async def body(request: Request, kind: str, most: int) -> bytes:
    """Return the body of a request of one media type, of at most `most` bytes.

    No form of another page can send these types.
    """
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != kind:
        raise HTTPException(415, f"expected a body of the type {kind}")
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > most:
            raise HTTPException(413, f"more than {most:,} bytes")
    return bytes(content)
