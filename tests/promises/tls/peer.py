# SPDX-License-Identifier: MPL-2.0
"""A program with Python's ssl: ROLE WHAT AUTHORITY CERTIFICATE KEY PORT [LENGTH...].

ROLE is listen or connect, WHAT is send or receive. Who listens says its port, who receives the SHA-256 of each frame.
"""

import hashlib
import socket
import ssl
import sys

role, what, authority, certificate, key, port, *lengths = sys.argv[1:]


def pattern(length):
    return bytes(i % 251 for i in range(251)) * (length // 251 + 1)


def connected():
    if role == "listen":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        with socket.create_server(("127.0.0.1", 0)) as server:
            print(server.getsockname()[1], flush=True)
            server.settimeout(20)
            plain, _ = server.accept()
        return context.wrap_socket(plain, server_side=True)
    context = ssl.create_default_context(cafile=authority)
    plain = socket.create_connection(("127.0.0.1", int(port)))
    return context.wrap_socket(plain, server_hostname="127.0.0.1")


def receive_exactly(tls, count):
    parts = []
    while count:
        part = tls.recv(min(count, 1 << 16))
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


tls = connected()
tls.settimeout(20)
if what == "send":
    for length in map(int, lengths):
        tls.sendall(b"%08d" % length + pattern(length)[:length])
    # The end that TLS has: without it the stream would look cut off. Returns when the other end has come as well.
    tls.unwrap().close()
else:
    while header := receive_exactly(tls, 8):
        payload = receive_exactly(tls, int(header))
        assert len(payload) == int(header)
        print(hashlib.sha256(payload).hexdigest(), flush=True)
    tls.unwrap().close()
