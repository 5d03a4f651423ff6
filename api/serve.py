"""``restock serve``: the HTTP service in this process, the worker in a child that is started again when it dies."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from api.app import create_app
from api.logs import configure_logging
from api.service import Service
from api.sources import read_sources
from api.store.address import STORE_VARIABLE, store_address
from api.store.migration import open_store
from engine.errors import ConfigError

GRACE_SECONDS = 10.0
_FIRST_DELAY_SECONDS = 1.0
_LONGEST_DELAY_SECONDS = 60.0

logger = logging.getLogger(__name__)


def serve(
    home: Path,
    host: str = "127.0.0.1",
    port: int = 8000,
    store_url: str | None = None,
    data_root: Path | None = None,
) -> int:
    """Serve until told to stop by SIGTERM or SIGINT; then end the worker too, and return 0.

    Only this machine is answered unless ``host`` says otherwise. ``store_url``: the address of the store
    (``env:NAME`` accepted), by default ``RESTOCK_STORE``, else a file under ``home``.

    Raises
    ------
    ConfigError
        The store or ``sources.toml`` cannot be used, or the port is taken.
    """
    configure_logging()
    # A clean end also on SIGTERM: uvicorn raises the signal again once it has shut down.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    store = open_store(home, store_url)
    try:
        sources = read_sources(home, data_root)
        app = create_app(Service(store, sources))
        # The address goes to the worker by its environment: a command line is there for all to see.
        environment = {**os.environ, STORE_VARIABLE: store_address(home, store_url)}
        command = [sys.executable, "-m", "api.worker", str(home.absolute()), str(sources.root.absolute())]
        config = uvicorn.Config(
            app,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=int(GRACE_SECONDS),
        )
        with _listening(host, port) as listener, supervised(command, environment):
            logger.info("answering on http://%s:%d", host, listener.getsockname()[1])
            uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        logger.info("stopped")
    finally:
        store.close()
    return 0


@contextmanager
def supervised(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[None]:
    """Keep a child process running: one that ends is started again, after a pause that doubles up to a minute.

    At the end it is asked to stop, and killed with all it started where it does not.
    """
    ending = threading.Event()
    running = [_start(command, environment)]

    def watch() -> None:
        delay = _FIRST_DELAY_SECONDS
        while True:
            code = running[0].wait()
            if ending.wait(delay):
                return
            logger.error("the worker ended with %d; it is started again", code)
            delay = min(2 * delay, _LONGEST_DELAY_SECONDS)
            _close_pipe(running[0])
            running[0] = _start(command, environment)
            if ending.is_set():
                _stop(running[0])

    thread = threading.Thread(target=watch, name="supervisor", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        _stop(running[0])
        thread.join()


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigError(
            "The service answers on an address of this machine and a free port",
            f"{host}, port {port}: {error.strerror}",
            "Give another --host or --port",
        ) from error


def _start(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    # Its own session: Ctrl-C reaches this process alone, which then ends the child in order. The pipe is never
    # written: it closes when this process is gone, however it went.
    return subprocess.Popen(list(command), env=dict(environment), stdin=subprocess.PIPE, start_new_session=True)


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    finally:
        _close_pipe(child)


def _close_pipe(child: subprocess.Popen[bytes]) -> None:
    if child.stdin is not None:
        child.stdin.close()
