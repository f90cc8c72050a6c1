#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Sends JPEG pictures to a pipeline.

In two terminals:

    gst-launch-1.0 videosocketsrc mode=listen ! jpegdec ! videoconvert ! autovideosink
    send_pictures.py --loop holiday/
"""

import argparse
import itertools
import pathlib
import sys
import time

import connection

JPEG_START = b"\xff\xd8\xff"


def main():
    args = parse_arguments()
    pictures = open_pictures(args, args.loop)
    if args.camera is None:
        pictures = paced(pictures, args.rate)
    peer = connection.open_connection(args)
    sent = 0
    try:
        for picture in pictures:
            peer.vsend(picture)
            sent += 1
    except KeyboardInterrupt:
        pass
    except (RuntimeError, ValueError) as error:
        sys.exit(f"{error}, after {sent} pictures")
    finally:
        peer.sock.close()
    print(f"{sent} pictures")


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    connection.add_arguments(parser)
    add_picture_arguments(parser)
    parser.add_argument(
        "--rate",
        type=connection.number(float, 0),
        default=25,
        help="pictures a second from files; 0: no pause; default: %(default)s",
    )
    parser.add_argument("--loop", action="store_true", help="begin again after the last picture")
    return connection.parse_arguments(parser)


def add_picture_arguments(parser):
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("pictures", nargs="*", default=[], help="JPEG files, or folders of them")
    source.add_argument(
        "--camera",
        type=connection.number(int, 0),
        metavar="NUMBER",
        help="send this camera instead, by OpenCV",
    )


def open_pictures(args, loop):
    """The pictures one by one, each as the bytes of a JPEG file."""
    if args.camera is not None:
        return camera_pictures(args.camera)
    files = list(find_files(args.pictures))
    if not files:
        sys.exit(f"There is no JPEG file in {', '.join(args.pictures)}")
    for file in files:
        check_picture(file)
    if loop:
        files = itertools.cycle(files)
    return (file.read_bytes() for file in files)


def find_files(names):
    for path in map(pathlib.Path, names):
        if path.is_dir():
            yield from sorted(
                file for file in path.iterdir() if file.suffix.lower() in (".jpg", ".jpeg")
            )
        else:
            yield path


def check_picture(path):
    with path.open("rb") as file:
        if file.read(len(JPEG_START)) != JPEG_START:
            sys.exit(f"{path} is no JPEG file")


def camera_pictures(number):
    try:
        import cv2
    except ImportError:
        sys.exit("--camera needs OpenCV (opencv-python)")
    camera = cv2.VideoCapture(number)
    if not camera.isOpened():
        sys.exit(f"Camera {number} does not open")

    def pictures():
        while True:
            there, image = camera.read()
            if not there:
                return
            yield cv2.imencode(".jpg", image)[1]

    return pictures()


def paced(pictures, rate):
    """The same, each when its time has come."""
    start = time.monotonic()
    for number, picture in enumerate(pictures):
        if rate:
            time.sleep(max(0, start + number / rate - time.monotonic()))
        yield picture


if __name__ == "__main__":
    connection.run(main)
