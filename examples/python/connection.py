# SPDX-License-Identifier: MPL-2.0
"""How the example scripts come to their connection."""

import socket
import sys
import time

from videosocket import videosocket

PATIENCE = 10  # seconds


def add_arguments(parser):
    parser.add_argument(
        "--listen", action="store_true", help="wait for the connection instead of making it"
    )
    parser.add_argument(
        "--host", default="", help="default: localhost; with --listen every interface"
    )
    parser.add_argument("--port", type=int, default=4953, help="default: %(default)s")


def open_connection(args):
    return (
        accept(args.host, args.port)
        if args.listen
        else connect(args.host or "localhost", args.port)
    )


def connect(host, port):
    """Connects, also to a peer that is still starting."""
    deadline = time.monotonic() + PATIENCE
    connection = videosocket()
    while True:
        try:
            connection.connect(host, port)
            return connection
        except OSError as error:
            if time.monotonic() > deadline:
                sys.exit(f"Nobody answers at {host} port {port}: {error}")
            time.sleep(0.1)


def accept(host, port):
    """Waits for one client."""
    with listen(host, port) as listener:
        print(f"Waiting on port {listener.getsockname()[1]}", flush=True)
        sock, address = listener.accept()
    print(f"Connected to {address[0]} port {address[1]}", flush=True)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return videosocket(sock)


def listen(host, port):
    if not host and socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def close(connection):
    """Ends our direction first: closing with frames unread would destroy those under way."""
    try:
        connection.sock.shutdown(socket.SHUT_WR)
        connection.sock.settimeout(1)
        while connection.sock.recv(65536):
            pass
    except OSError:
        pass
    connection.sock.close()
