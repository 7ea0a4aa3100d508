"""The guard around the server, which needs no library: who is answered, how often, with what."""
import asyncio

import pytest

from cs231n_fer.web.guard import HEADERS, Guard, Rate

US = (b"host", b"127.0.0.1:8000")
OURS = (b"origin", b"http://127.0.0.1:8000")


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def status(method, *headers, rate=None):
    """Return the status of a request to an app that answers 200."""
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "headers": headers}
    asyncio.run(Guard(app, rate or Rate())(scope, None, send))
    return sent[0]["status"]


@pytest.mark.parametrize("host", [b"127.0.0.1", b"127.0.0.1:8000", b"localhost", b"localhost:1"])
def test_this_machine_is_answered_by_its_names(host):
    assert status("GET", (b"host", host)) == 200
    assert status("POST", (b"host", host), (b"origin", b"http://" + host)) == 200


@pytest.mark.parametrize("host", [
    b"", b"evil.example", b"evil.example:8000", b"127.0.0.1.evil.example",
    b"localhost.evil.example", b"evil.example#127.0.0.1", b"127.0.0.1:8000@evil.example",
    b"127.0.0.1:", b"127.0.0.1:8000\n",
    b"127x0x0x1", b"0.0.0.0:8000", b"[::1]:8000", b"127.0.0.1:8000, evil.example"])
def test_another_host_is_refused_as_its_name_may_have_been_pointed_here(host):
    for method in ("GET", "POST"):
        assert status(method, (b"host", host), (b"origin", b"http://" + host)) == 403


@pytest.mark.parametrize("headers", [(), (US, US), (US, (b"host", b"evil.example"))])
def test_a_request_names_one_host(headers):
    assert status("GET", *headers) == 403


@pytest.mark.parametrize("origin", [
    b"null", b"", b"http://evil.example", b"http://localhost:8000", b"https://127.0.0.1:8000",
    b"http://127.0.0.1", b"http://127.0.0.1:8001", b"http://127.0.0.1:8000.evil.example",
    b"http://127.0.0.1:8000/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_origin_is_refused(method, origin):
    assert status(method, US, (b"origin", origin)) == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS", "DELETE", "get"])
def test_a_request_to_compute_names_its_origin(method):
    assert status(method, US) == 403
    assert status(method, US, OURS, OURS) == 403


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_page_may_be_opened_without_an_origin(method):
    assert status(method, US) == 200


def test_requests_beyond_the_rate_are_refused_until_time_has_passed():
    clock = Clock()
    rate = Rate(each_second=2, burst=3, clock=clock)
    assert [status("GET", US, rate=rate) for _ in range(4)] == [200, 200, 200, 429]
    clock.now = 0.6
    assert [status("GET", US, rate=rate) for _ in range(2)] == [200, 429]
    clock.now = 1e6
    assert [status("GET", US, rate=rate) for _ in range(4)] == [200, 200, 200, 429]


def test_refused_requests_cost_others_nothing():
    rate = Rate(each_second=1, burst=1, clock=Clock())
    for _ in range(9):
        assert status("GET", (b"host", b"evil.example"), rate=rate) == 403
    assert status("GET", US, rate=rate) == 200


def test_the_policy_lets_nothing_in_that_is_not_the_pages_own():
    directives = dict(part.split(" ", 1) for part in HEADERS["Content-Security-Policy"].split("; "))
    assert directives["default-src"] == directives["frame-ancestors"] == "'none'"
    sources = {source for text in directives.values() for source in text.split()}
    assert sources == {"'none'", "'self'", "data:"}
    assert [name for name, text in directives.items() if "data:" in text] == ["img-src"]
    assert not [name for name in HEADERS if name.startswith("Access-Control-")]
