# SPDX-License-Identifier: MPL-2.0
"""How the example scripts come to their connection, and what they say when something is wrong."""

import argparse
import os
import socket
import sys
import time

from videosocket import videosocket

PATIENCE = 10  # seconds


def run(main):
    """Runs a script. What its user can mend is told in a sentence, not by a traceback."""
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("Interrupted")
    except OSError as error:
        sys.exit(f"{error.filename}: {reason(error)}" if error.filename else reason(error))


def reason(error):
    """Without what Python adds to it, numbers and addresses."""
    is_system_error = error.errno is not None and error.errno > 0
    return os.strerror(error.errno) if is_system_error else error.strerror or str(error)


def add_arguments(parser):
    parser.add_argument(
        "--listen", action="store_true", help="wait for the connection instead of making it"
    )
    parser.add_argument(
        "--host", type=host, default="", help="default: localhost; with --listen every interface"
    )
    parser.add_argument(
        "--port",
        type=number(int, 0, 65535),
        default=4953,
        help="default: %(default)s; with --listen, 0 takes a free one",
    )
    parser.add_argument(
        "--patience",
        type=number(float, 0),
        default=PATIENCE,
        metavar="SECONDS",
        help="how long to go on trying to connect; default: %(default)s",
    )


def parse_arguments(parser):
    args = parser.parse_args()
    if args.port == 0 and not args.listen:
        parser.error("--port 0 needs --listen")
    return args


def number(kind, least, most=None):
    """The type of an argument: a number in this range."""

    def parse(text):
        value = kind(text)
        if not value >= least or (most is not None and value > most):
            limits = f"{least} or more" if most is None else f"{least} to {most}"
            raise argparse.ArgumentTypeError(f"{text} is not {limits}")
        return value

    parse.__name__ = "number"  # for the message of argparse
    return parse


def host(text):
    try:
        text.encode("idna")
    except UnicodeError:
        raise argparse.ArgumentTypeError(f"{text} is no name or address") from None
    return text


def open_connection(args):
    if args.listen:
        return accept(args.host, args.port)
    return connect(args.host or "localhost", args.port, args.patience)


def connect(host, port, patience):
    """Connects, also to a peer that is still starting."""
    start = time.monotonic()
    is_told = False
    connection = videosocket()
    while True:
        try:
            connection.connect(host, port)
            return connection
        except OSError as error:
            waited = time.monotonic() - start
            if waited >= patience:
                sys.exit(f"Nobody answers at {host} port {port}: {reason(error)}")
            if waited >= 1 and not is_told:
                print(f"Waiting for {host} port {port}: {reason(error)}", file=sys.stderr)
                is_told = True
            time.sleep(0.1)


def accept(host, port):
    """Waits for one client."""
    try:
        listener = listen(host, port)
    except OSError as error:
        sys.exit(f"Cannot listen on {host or '*'} port {port}: {reason(error)}")
    with listener:
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
