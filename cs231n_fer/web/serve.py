"""A server of the page on this machine alone."""
from __future__ import annotations

import socket
import webbrowser
from collections.abc import Callable

try:
    import uvicorn
except ImportError as error:
    raise ImportError(f"the page needs the library uvicorn ({error}); "
                      'pip install "cs231n_fer[web]"') from error

from ..classifiers.pretrained import PretrainedNet
from .app import make_app

__all__ = ["ADDRESS", "serve"]

ADDRESS = "127.0.0.1"      # which no other machine reaches
MOST_CONNECTIONS = 32      # a browser opens six


def serve(net: PretrainedNet, port: int, *, open_browser: bool,
          say: Callable[[str], None] = print) -> None:
    """Serve the page until Ctrl-C.

    port            0 takes any free one
    open_browser    whether to open the page
    say             gets the line with its address
    Raises OSError if the port is taken.
    """
    app = make_app(net)
    with listen(port) as listening:
        address = f"http://{ADDRESS}:{listening.getsockname()[1]}"
        say(f"the page is at {address} until you press Ctrl-C")
        if open_browser:
            webbrowser.open(address)
        config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False,
                                ws="none", lifespan="off", timeout_keep_alive=5,
                                limit_concurrency=MOST_CONNECTIONS)
        uvicorn.Server(config).run(sockets=[listening])


def listen(port: int) -> socket.socket:
    """Return a socket on which this machine alone can connect; raises OSError.

    Its connections send at once: else the end of an answer waits 40 ms for the receipt of its head.
    """
    listening = socket.create_server((ADDRESS, port))
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
