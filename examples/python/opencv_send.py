#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Sends OpenCV's pictures to a pipeline: those of a camera or a film, or a ball that it draws.

In two terminals, in either order:

    gst-launch-1.0 videosocketsrc mode=listen ! jpegdec ! videoconvert ! autovideosink
    opencv_send.py

With --gstreamer, by a cv2.VideoWriter into videosocketsink, to whoever connects:

    opencv_send.py --gstreamer --listen
    gst-launch-1.0 videosocketsrc ! jpegdec ! videoconvert ! autovideosink
"""

import argparse
import itertools
import sys
import time

import connection

try:
    import cv2
    import numpy
except ImportError:
    sys.exit("This needs OpenCV (Debian: python3-opencv; elsewhere: pip install opencv-python)")

WIDTH, HEIGHT = 640, 480


def main():
    args = parse_arguments()
    pictures = itertools.islice(paced(open_pictures(args), args.rate), args.count)
    send = send_by_gstreamer if args.gstreamer else send_by_socket
    sent = 0
    try:
        for sent in send(pictures, args):
            pass
    except KeyboardInterrupt:
        pass
    except (RuntimeError, ValueError) as error:
        sys.exit(f"{error}, after {sent} pictures")
    print(f"{sent} pictures")


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    connection.add_arguments(parser)
    parser.add_argument(
        "--gstreamer", action="store_true", help="by a VideoWriter instead of a socket"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--camera", type=connection.number(int, 0), metavar="NUMBER")
    source.add_argument("--film", metavar="FILE")
    parser.add_argument(
        "--rate",
        type=connection.number(float, 1),
        default=25,
        help="pictures a second, but for a camera's; default: %(default)s",
    )
    parser.add_argument(
        "--count", type=connection.number(int, 1), metavar="N", help="end after N pictures"
    )
    return connection.parse_arguments(parser)


def send_by_socket(pictures, args):
    peer = connection.open_connection(args)
    try:
        for sent, picture in enumerate(pictures, 1):
            jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
            # Header and payload in one go; peer.vsend(jpeg) does the same.
            peer.sock.sendall(str(len(jpeg)).zfill(8).encode() + jpeg)
            yield sent
    except ConnectionError as error:
        raise RuntimeError(error.strerror) from error
    finally:
        connection.close(peer)


def send_by_gstreamer(pictures, args):
    first = next(pictures)
    height, width = first.shape[:2]
    writer = cv2.VideoWriter(
        f"appsrc ! videoconvert ! jpegenc ! {sink(args)}",
        cv2.CAP_GSTREAMER,
        0,
        args.rate,
        (width, height),
    )
    if not writer.isOpened():
        raise RuntimeError("The pipeline does not start: is videosocketsink installed?")
    try:
        for sent, picture in enumerate(itertools.chain([first], pictures), 1):
            writer.write(picture)
            yield sent
    finally:
        writer.release()


def sink(args):
    """A VideoWriter is no live source, and would wait for each peer that is slow, and for one to come at all."""
    where = f"port={args.port} sync=false overflow=drop"
    if args.listen:
        return (
            f"videosocketsink mode=listen host={args.host or '*'} wait-for-connection=false {where}"
        )
    # Without a word to the writer it connects again.
    return f"videosocketsink host={args.host or 'localhost'} reconnect=true connect-timeout=0 {where}"


def open_pictures(args):
    if args.camera is None and args.film is None:
        return balls()
    source = args.film if args.camera is None else args.camera
    capture = cv2.VideoCapture(source)
    if not capture.isOpened():
        sys.exit(f"{source} does not open")
    return read_all(capture)


def read_all(capture):
    while True:
        there, picture = capture.read()
        if not there:
            return
        yield picture


def balls():
    for number in itertools.count():
        picture = numpy.zeros((HEIGHT, WIDTH, 3), numpy.uint8)
        cv2.circle(picture, (number * 5 % WIDTH, HEIGHT // 2), 40, (255, 255, 255), -1)
        yield picture


def paced(pictures, rate):
    """The same, each when its time has come."""
    start = time.monotonic()
    for number, picture in enumerate(pictures):
        time.sleep(max(0, start + number / rate - time.monotonic()))
        yield picture


if __name__ == "__main__":
    connection.run(main)
