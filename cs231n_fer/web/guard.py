"""Which requests are refused, and the headers that every response carries.

The server listens on this machine alone, but every page that its browser shows can send requests
to it. So a request must name this machine as its host, or else a foreign name may have been pointed
at it (DNS rebinding); and whatever computes must come from the page itself, by its origin. No
response allows another origin to read it.
"""
from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

__all__ = ["HEADERS", "Guard", "Rate"]

# As ASGI defines them.
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]

OUR_NAMES = re.compile(rb"(127\.0\.0\.1|localhost)(:[0-9]{1,5})?")
HEADERS = {
    "Content-Security-Policy":
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Rate:
    """A bucket of tokens: `burst` requests at once, and then `each_second`.

    clock    returns seconds
    """

    def __init__(self, each_second: float = 60, burst: float = 120,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self.each_second = each_second
        self.burst = burst
        self.clock = clock
        self.left = burst
        self.then = clock()

    def allows_one_more(self) -> bool:
        """Take a token if there is one, and return whether there was."""
        now = self.clock()
        self.left = min(self.burst, self.left + self.each_second * (now - self.then))
        self.then = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class Guard:
    """Around an app: refuses requests from elsewhere and too many of them, and adds HEADERS.

    app     an ASGI app
    rate    how many requests are answered
    """

    def __init__(self, app: App, rate: Rate) -> None:
        self.app = app
        self.rate = rate

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request, or let the app do it."""
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = [(name.lower().encode(), text.encode()) for name, text in HEADERS.items()]
                message["headers"] = [*message.get("headers", ()), *ours]
            await send(message)

        if scope["type"] != "http":  # the start and the stop of the server; WebSockets are off
            await self.app(scope, receive, send)
        elif refused := self.refusal(scope):
            await answer(*refused, send_with_headers)
        else:
            await self.app(scope, receive, send_with_headers)

    def refusal(self, scope: Message) -> tuple[int, str] | None:
        """Return the status and the text for a request that is refused, None for any other."""
        hosts = [text for name, text in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not OUR_NAMES.fullmatch(hosts[0]):
            return 403, "this server answers to the names 127.0.0.1 and localhost only"
        origins = [text for name, text in scope["headers"] if name == b"origin"]
        computes = scope["method"] not in ("GET", "HEAD")
        if origins != [b"http://" + hosts[0]] and (origins or computes):
            return 403, "this server answers to its own page only"
        if not self.rate.allows_one_more():
            return 429, "too many requests: wait a second"
        return None


async def answer(status: int, text: str, send: Send) -> None:
    """Send a response of one line."""
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
