# SPDX-License-Identifier: MPL-2.0
"""The server, and those who watch: a browser without a screen, and sockets."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

TREE = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", TREE / "target"))
SERVER = TARGET / "debug/examples/camera_server"
DRIVER = "/usr/bin/chromedriver"
WINDOW = (1280, 720)
PATIENCE = 20  # seconds


class Server:
    """camera_server with its page, on free ports unless told otherwise."""

    def __init__(self, *options, port=0, web=0):
        words = ["--host", "localhost", "--port", str(port), "--web", str(web), *options]
        environment = {**os.environ, "G_DEBUG": "fatal-criticals"}
        self.program = subprocess.Popen(
            [SERVER, *words], stdout=subprocess.PIPE, env=environment, text=True
        )
        self.port = int(self.line("Listening at ").rsplit(" ")[-1])
        self.page = self.line("In a browser: ").split()[-1]
        self.web = int(self.page.rstrip("/").rsplit(":")[-1])

    def line(self, start):
        for line in self.program.stdout:
            if line.startswith(start):
                return line
        raise AssertionError(f"no line begins with {start!r}")

    def stop(self):
        """As Ctrl-C does. The rest of the output is of no interest, but has to go somewhere."""
        self.program.send_signal(signal.SIGINT)
        self.program.communicate(timeout=PATIENCE)
        return self.program.returncode

    def kill(self):
        self.program.kill()
        self.program.communicate()


def open_browser():
    options = webdriver.ChromeOptions()
    options.add_argument("--headless=new")
    # As root there is none.
    options.add_argument("--no-sandbox")
    # In containers it is small.
    options.add_argument("--disable-dev-shm-usage")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(service=Service(DRIVER), options=options)
    use_screen(browser, *WINDOW)
    return browser


def use_screen(browser, width, height, scheme="light"):
    """Whatever the smallest window of the system is."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 700}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def table(browser):
    """At one moment, and with the columns that a phone does not show."""
    return browser.execute_script(
        "return Array.from(document.querySelectorAll('tbody tr'),"
        " (row) => Array.from(row.cells, (cell) => cell.textContent))"
    )


@contextlib.contextmanager
def watch_plainly(server):
    """A viewer that is no browser: its name, and what it receives."""
    with socket.create_connection(("localhost", server.port), PATIENCE) as viewer:
        received = bytearray()
        reader = threading.Thread(target=receive_all, args=(viewer, received))
        reader.start()
        try:
            yield address_of(viewer), received
        finally:
            viewer.shutdown(socket.SHUT_RDWR)
            reader.join()


def receive_all(viewer, received):
    while data := viewer.recv(1 << 20):
        received += data


def stall(server):
    """A browser that asks for the stream, and takes little more than the answer."""
    browser = socket.socket()
    browser.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    browser.settimeout(PATIENCE)
    browser.connect(("127.0.0.1", server.web))
    browser.sendall(
        f"GET /stream HTTP/1.1\r\nHost: localhost:{server.web}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    answer = browser.recv(12)
    assert answer == b"HTTP/1.1 101", answer
    return browser


def address_of(connection):
    """As the table has it."""
    host, port = connection.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def eventually(what, check):
    """Waits until check() gives something, and returns it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if result := check():
            return result
        time.sleep(0.05)
    raise AssertionError(f"not within {PATIENCE} s: {what}")
