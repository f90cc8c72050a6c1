#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Receives pictures from a pipeline for OpenCV, and shows them or says how bright they are.

In two terminals, in either order:

    opencv_receive.py --listen
    gst-launch-1.0 videotestsrc is-live=true ! jpegenc ! videosocketsink

With --gstreamer, by a cv2.VideoCapture from videosocketsrc, which connects:

    gst-launch-1.0 videotestsrc is-live=true ! jpegenc ! videosocketsink mode=listen
    opencv_receive.py --gstreamer
"""

import argparse
import itertools
import sys

import connection

try:
    import cv2
    import numpy
except ImportError:
    sys.exit("This needs OpenCV (Debian: python3-opencv; elsewhere: pip install opencv-python)")


def main():
    args = parse_arguments()
    receive = receive_by_gstreamer if args.gstreamer else receive_by_socket
    pictures, brightness = 0, 0
    try:
        for picture in itertools.islice(receive(args), args.count):
            pictures += 1
            brightness = picture.mean()
            if pictures == 1:
                print(f"The first picture is {picture.shape[1]}x{picture.shape[0]}", flush=True)
            if args.show:
                cv2.imshow("videosocket", picture)
                cv2.waitKey(1)
    except KeyboardInterrupt:
        pass
    except (RuntimeError, ValueError) as error:
        sys.exit(f"{error}, after {pictures} pictures")
    print(f"{pictures} pictures, the last one of brightness {brightness:.1f}")


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    connection.add_arguments(parser)
    parser.add_argument(
        "--gstreamer", action="store_true", help="by a VideoCapture instead of a socket"
    )
    parser.add_argument("--show", action="store_true", help="show them in a window")
    parser.add_argument(
        "--count", type=connection.number(int, 1), metavar="N", help="end after N pictures"
    )
    return connection.parse_arguments(parser)


def receive_by_socket(args):
    peer = connection.open_connection(args)
    try:
        while True:
            jpeg = peer.vreceive()
            picture = cv2.imdecode(numpy.frombuffer(jpeg, numpy.uint8), cv2.IMREAD_COLOR)
            if picture is None:
                raise ValueError("A frame has come that is no picture")
            yield picture
    except EOFError:
        pass
    finally:
        connection.close(peer)


def receive_by_gstreamer(args):
    # Only the newest picture waits for us.
    capture = cv2.VideoCapture(
        f"{source(args)} ! jpegdec ! videoconvert ! video/x-raw,format=BGR "
        "! appsink sync=false drop=true max-buffers=1",
        cv2.CAP_GSTREAMER,
    )
    if not capture.isOpened():
        raise RuntimeError("The pipeline does not start: is videosocketsrc installed?")
    try:
        while True:
            there, picture = capture.read()
            if not there:
                return
            yield picture
    finally:
        capture.release()


def source(args):
    if args.listen:
        return f"videosocketsrc mode=listen host={args.host or '*'} port={args.port}"
    patience = round(args.patience * 1e9)
    return f"videosocketsrc host={args.host or 'localhost'} port={args.port} connect-timeout={patience}"


if __name__ == "__main__":
    connection.run(main)
