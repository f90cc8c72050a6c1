# SPDX-License-Identifier: MPL-2.0
"""The programs of the table in docs/PROTOCOL.md, in the few lines that each has for its header.

Each line of the input is a program to be run, and is answered by a line with the lengths of its frames:

    ["NAME", "PROPERTIES", "send", PORT, [LENGTH, ...]]     connects, sends frames of these lengths and ends
    ["NAME", "PROPERTIES", "receive", PORT, []]             connects and receives frames up to the end

What Python says is taken as the table has it; what other languages say is written in Python's terms.
"""

import json
import re
import socket
import struct
import sys

PATIENCE = 20  # seconds

# The same in all tests of headers.
PATTERN = bytes(i % 251 for i in range(200_000))

INT = "struct.pack('>i', n)"
LITTLE_INT = "struct.pack('<i', n)"

IN_PYTHON = {
    'snprintf(header, 5, "%4d", n)': "'%4d' % n",
    "multiprocessing.connection": INT,
    "Int8StringReceiver": "struct.pack('!B', n)",
    "Int16StringReceiver": "struct.pack('!H', n)",
    "Int32StringReceiver": "struct.pack('!I', n)",
    "{packet, 1}": "struct.pack('!B', n)",
    "{packet, 2}": "struct.pack('!H', n)",
    "{packet, 4}": "struct.pack('!I', n)",
    "DataOutputStream.writeInt(n)": INT,
    "DataOutputStream.writeLong(n)": "struct.pack('>q', n)",
    "ByteBuffer.putInt(n)": INT,
    "BitConverter.GetBytes(n)": LITTLE_INT,
    "BinaryWriter.Write(n)": LITTLE_INT,
    "IPAddress.HostToNetworkOrder(n)": INT,
    "client.write((uint8_t *)&len, 4)": "struct.pack('<I', n)",
    "uint32_t len; send(fd, &len, sizeof len, 0)": "struct.pack('<I', n)",
    "size_t len; send(fd, &len, sizeof len, 0)": "struct.pack('<Q', n)",
    "uint32_t len = htonl(n); send(fd, &len, sizeof len, 0)": "struct.pack('=I', socket.htonl(n))",
    "QDataStream << QByteArray": "struct.pack('>I', n)",
    "LengthFieldPrepender(4)": INT,
    "LengthFieldBasedFrameDecoder(max, 0, 4, 0, 4)": INT,
    "LengthFieldPrepender(4, true)": "struct.pack('>i', n + 4)",
    "LengthFieldBasedFrameDecoder(max, 0, 4, -4, 4)": "struct.pack('>i', n + 4)",
    "ProtobufVarint32LengthFieldPrepender": "varint(n)",
    "writeDelimitedTo": "varint(n)",
    "LengthDelimitedCodec::new()": "struct.pack('>I', n)",
    ".length_field_length(3)": "n.to_bytes(3, 'big')",
    ".little_endian().length_field_offset(2).length_field_length(2)": "struct.pack('<HH', type, n)",
    ".length_field_length(2).length_adjustment(-2)": "struct.pack('>H', n + 2)",
    "binary.Write(conn, binary.BigEndian, uint32(n))": "struct.pack('>I', n)",
    "binary.Write(conn, binary.LittleEndian, uint32(n))": "struct.pack('<I', n)",
    "binary.AppendUvarint(nil, uint64(n))": "varint(n)",
    "header.writeUInt32BE(n)": "struct.pack('>I', n)",
    "header.writeUInt32LE(n)": "struct.pack('<I', n)",
    "rtpstreampay": "struct.pack('!H', n)",
    "rtpstreamdepay": "struct.pack('!H', n)",
}


def main():
    for line in sys.stdin:
        name, properties, what, port, lengths = json.loads(line)
        header = expression(name, properties)
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
            if what == "send":
                for length in lengths:
                    sock.sendall(write(header, length) + PATTERN[:length])
            else:
                lengths = list(received(header, sock))
        print(json.dumps(lengths), flush=True)


def received(header, sock):
    while (length := read(header, sock)) is not None:
        if receive(sock, length) != PATTERN[:length]:
            sys.exit(f"{length} other bytes than those sent, behind {header}")
        yield length


def expression(name, properties):
    if "u32" in properties and name == 'struct.pack("L", n)':
        return "struct.pack('<L', n)"  # as it is there, not here
    return IN_PYTHON.get(name, name)


def write(header, n):
    scope = {"n": n, "type": 7, "time": 1 << 40, "struct": struct, "socket": socket, "varint": varint}
    written = eval(header, scope)
    return written.encode() if isinstance(written, str) else written


def varint(n):
    groups = b""
    while n >= 0x80:
        groups += bytes([n & 0x7F | 0x80])
        n >>= 7
    return groups + bytes([n])


def read(header, sock):
    """The length in a header, or None at the end."""
    if header == "varint(n)":
        return read_varint(sock)
    got = receive(sock, len(write(header, 0)), may_end=True)
    if got is None:
        return None
    if layout := re.fullmatch(r"struct\.pack\([\"'](.*)[\"'], (.*)\)", header):
        fields = layout[2].split(", ")
        at = next(i for i, field in enumerate(fields) if re.search(r"\bn\b", field))
        value = struct.unpack(layout[1], got)[at]
        if "htonl" in fields[at]:
            return socket.ntohl(value)
        return value - eval(fields[at], {"n": 0})
    if "to_bytes" in header:
        return int.from_bytes(got, "big" if "big" in header else "little")
    if header == "bytes([n])":
        return got[0]
    # Of text only the digits are a number.
    return int(got[:6] if header.startswith('"%06d') else got)


def read_varint(sock):
    n, shift = 0, 0
    while (byte := receive(sock, 1, may_end=not shift)) is not None:
        n |= (byte[0] & 0x7F) << shift
        shift += 7
        if byte[0] < 0x80:
            return n
    return None


def receive(sock, length, may_end=False):
    got = b""
    while len(got) < length:
        piece = sock.recv(length - len(got))
        if not piece:
            if may_end and not got:
                return None
            sys.exit(f"The end after {len(got)} of {length} bytes")
        got += piece
    return got


if __name__ == "__main__":
    main()
