# SPDX-License-Identifier: MPL-2.0
"""Libraries of Python's that have a framing of their own, as the other end.

    peers.py LIBRARY send PORT LENGTH...     connects, sends frames of these lengths and ends
    peers.py LIBRARY receive PORT            connects, prints the length of each frame up to the end
"""

import sys

PATTERN = bytes(i % 251 for i in range(200_000))


def main():
    library, what, port, *lengths = sys.argv[1:]
    run = {"multiprocessing": multiprocessing, "qt": qt}.get(library, twisted)
    run(library, what, int(port), [PATTERN[: int(length)] for length in lengths])


def got(frame):
    if frame != PATTERN[: len(frame)]:
        sys.exit(f"{len(frame)} other bytes than those sent")
    print(len(frame), flush=True)


def multiprocessing(_, what, port, frames):
    from multiprocessing.connection import Client

    with Client(("127.0.0.1", port)) as connection:
        for frame in frames:
            connection.send_bytes(frame)
        try:
            while what == "receive":
                got(connection.recv_bytes())
        except EOFError:
            pass


def qt(_, what, port, frames):
    from PyQt5.QtCore import QByteArray, QDataStream, QIODevice
    from PyQt5.QtNetwork import QTcpSocket

    socket = QTcpSocket()
    socket.connectToHost("127.0.0.1", port, QIODevice.ReadWrite)
    if not socket.waitForConnected():
        sys.exit(socket.errorString())
    stream = QDataStream(socket)
    for frame in frames:
        stream << QByteArray(frame)
    while socket.bytesToWrite() and socket.waitForBytesWritten():
        pass
    while what == "receive":
        stream.startTransaction()
        frame = QByteArray()
        stream >> frame
        if stream.commitTransaction():
            got(bytes(frame))
        elif not socket.waitForReadyRead() and not socket.bytesAvailable():
            break
    socket.disconnectFromHost()


def twisted(receiver, what, port, frames):
    from twisted.internet import reactor
    from twisted.internet.protocol import ClientFactory
    from twisted.protocols import basic

    class Peer(getattr(basic, receiver)):
        MAX_LENGTH = len(PATTERN)

        def connectionMade(self):
            for frame in frames:
                self.sendString(frame)
            if what == "send":
                self.transport.loseConnection()

        def stringReceived(self, frame):
            got(frame)

        def connectionLost(self, reason):
            reactor.stop()

    factory = ClientFactory.forProtocol(Peer)
    reactor.connectTCP("127.0.0.1", port, factory)
    reactor.run()


if __name__ == "__main__":
    main()
