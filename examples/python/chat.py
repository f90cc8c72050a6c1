#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""A video chat that takes turns: who connects sends a picture, then receives one; who listens the
other way round. So no picture ever waits behind another, and the delay does not grow.

In two terminals:

    chat.py --listen holiday/
    gst-launch-1.0 videotestsrc is-live=true ! jpegenc ! \\
        videosocketsink connection-id=chat lockstep=true \\
        videosocketsrc connection-id=chat ! jpegdec ! videoconvert ! autovideosink
"""

import argparse
import itertools
import statistics
import sys
import time

import connection
from receive_pictures import add_output_arguments, open_outputs
from send_pictures import add_picture_arguments, open_pictures


def main():
    args = parse_arguments()
    outputs = open_outputs(args)
    pictures = itertools.islice(open_pictures(args, loop=True), args.turns)
    peer = connection.open_connection(args)
    turns = []
    try:
        for picture in pictures:
            start = time.monotonic()
            received = take_turn(peer, picture, args.listen)
            turns.append(time.monotonic() - start)
            for output in outputs:
                output(received)
    except (EOFError, KeyboardInterrupt):
        pass
    except (RuntimeError, ValueError) as error:
        sys.exit(f"{error}, after {len(turns)} turns")
    finally:
        connection.close(peer)
    if turns:
        median, longest = statistics.median(turns) * 1000, max(turns) * 1000
        print(f"{len(turns)} turns, median {median:.2f} ms, longest {longest:.2f} ms")


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    connection.add_arguments(parser)
    add_picture_arguments(parser)
    add_output_arguments(parser)
    parser.add_argument(
        "--turns", type=connection.number(int, 1), metavar="N", help="end after N turns"
    )
    return connection.parse_arguments(parser)


def take_turn(peer, picture, listening):
    if listening:
        received = peer.vreceive()
        peer.vsend(picture)
    else:
        peer.vsend(picture)
        received = peer.vreceive()
    return received


if __name__ == "__main__":
    connection.run(main)
