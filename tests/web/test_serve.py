"""The command `cs231n-fer web`: it binds to this machine alone, and ends as it should."""
import http.client
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numba
import pytest

import cs231n_fer
from cs231n_fer.commands.main import main

pytest.importorskip("starlette", reason="the page needs the extra [web]")
pytest.importorskip("uvicorn", reason="the page needs the extra [web]")

from cs231n_fer.web.serve import ADDRESS, listen  # noqa: E402
from experiments.checks.web_page import served  # noqa: E402

ROOT = Path(cs231n_fer.__file__).parents[1]


@pytest.fixture(autouse=True)
def threads_stay(monkeypatch):
    """Keep the number of threads: the command sets it, but may not where threads have started."""
    monkeypatch.setenv("NUMBA_NUM_THREADS", str(numba.config.NUMBA_NUM_THREADS))
    monkeypatch.setenv("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))


def test_it_listens_on_this_machine_alone_and_its_connections_send_at_once():
    with listen(0) as listening:
        assert listening.getsockname()[0] == ADDRESS == "127.0.0.1"
        with socket.create_connection(listening.getsockname()) as theirs:
            ours, _ = listening.accept()
            with ours:
                assert theirs.getpeername()[0] == "127.0.0.1"
                assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_that_is_taken_is_a_failure_in_one_line(capsys, monkeypatch):
    monkeypatch.setattr("cs231n_fer.web.serve.make_app", lambda net: None)
    with listen(0) as taken:
        assert main(["web", "--no-browser", "--port", str(taken.getsockname()[1])]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("cs231n-fer web: ") and "in use" in printed.err
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize("port, code", [("65536", 1), ("-1", 2), ("http", 2)])
def test_a_port_that_does_not_exist_is_refused(port, code, capsys):
    try:
        found = main(["web", "--port", port])
    except SystemExit as stopped:
        found = stopped.code
    assert found == code and "--port" in capsys.readouterr().err


@pytest.mark.parametrize("library", ["starlette", "uvicorn"])
def test_without_the_extra_the_command_says_what_to_install(library):
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.modules[{library!r}] = None\n"
         "from cs231n_fer.commands.main import main; sys.exit(main(['web']))"],
        capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert 'pip install "cs231n_fer[web]"' in done.stderr


@pytest.fixture(scope="module")
def host():
    with served() as address:
        yield address.removeprefix("http://")


def test_a_server_answers_its_own_page_and_nobody_else(host):
    for name, status in ((host, 200), ("evil.example", 403)):
        connection = http.client.HTTPConnection(host)
        connection.request("GET", "/", headers={"Host": name})
        response = connection.getresponse()
        response.read()
        connection.close()
        assert response.status == status
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "Server" not in response.headers


def test_a_websocket_is_no_way_around_the_guard(host):
    connection = http.client.HTTPConnection(host)
    connection.request("GET", "/about", headers={
        "Origin": "http://evil.example", "Connection": "Upgrade", "Upgrade": "websocket",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version": "13"})
    assert connection.getresponse().status == 403
    connection.close()


def test_ctrl_c_ends_the_server_without_a_failure():
    command = [sys.executable, "-m", "cs231n_fer", "web", "--no-browser", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          cwd=ROOT) as process:
        assert "until you press Ctrl-C" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
