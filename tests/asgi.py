"""A client of ASGI apps, which calls them without a server or a network."""
import asyncio
import json

ADDRESS = "http://127.0.0.1:8000"


class Response:
    """Status, headers as a list of pairs, and content of a response."""

    def __init__(self, messages):
        self.status = messages[0]["status"]
        self.headers = [(name.decode(), text.decode()) for name, text in messages[0]["headers"]]
        self.content = b"".join(message.get("body", b"") for message in messages[1:])

    def values(self, name):
        return [text for key, text in self.headers if key == name.lower()]

    def json(self):
        return json.loads(self.content)


async def asked(app, method, path, content=b"", kind=None, origin=ADDRESS):
    """Return the Response to a request.

    content    bytes, or an iterable of parts of them, which need not be read to the end
    kind       its media type
    """
    headers = [(b"host", ADDRESS.removeprefix("http://").encode())]
    headers += [(b"content-type", kind.encode())] if kind else []
    headers += [(b"origin", origin.encode())] if origin else []
    path, _, query = path.partition("?")
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(),
             "headers": headers, "http_version": "1.1", "scheme": "http", "root_path": "",
             "raw_path": path.encode(), "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000)}
    parts = iter([content] if isinstance(content, bytes) else content)
    messages = []

    async def receive():
        part = next(parts, None)
        return {"type": "http.request", "body": part or b"", "more_body": part is not None}

    async def send(message):
        messages.append(message)

    await app(scope, receive, send)
    return Response(messages)


def ask(app, method, path, content=b"", kind=None, origin=ADDRESS):
    """Return the Response to one request; see asked."""
    return asyncio.run(asked(app, method, path, content, kind, origin))
