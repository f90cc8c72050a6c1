#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Receives JPEG pictures from a pipeline and saves them, in the folder "pictures", or shows them.

In two terminals:

    receive_pictures.py --listen
    gst-launch-1.0 videotestsrc is-live=true ! jpegenc ! videosocketsink
"""

import argparse
import io
import pathlib
import sys
import time

import connection

NO_PICTURE = "A frame has come that is no picture"


def main():
    args = parse_arguments()
    outputs = open_outputs(args)
    peer = connection.open_connection(args)
    pictures, size, start = 0, 0, time.monotonic()
    try:
        while pictures != args.count:
            picture = peer.vreceive()
            pictures += 1
            size += len(picture)
            if picture and pictures % args.every == 0:
                for output in outputs:
                    output(picture)
    except (EOFError, KeyboardInterrupt):
        pass
    except (RuntimeError, ValueError) as error:
        sys.exit(f"{error}, after {pictures} pictures")
    finally:
        peer.sock.close()
    print(f"{pictures} pictures, {size / 1000:.0f} kB, {time.monotonic() - start:.1f} s")


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    connection.add_arguments(parser)
    add_output_arguments(parser)
    parser.add_argument(
        "--every",
        type=connection.number(int, 1),
        default=1,
        metavar="N",
        help="pass over all but each Nth picture",
    )
    parser.add_argument(
        "--count", type=connection.number(int, 1), metavar="N", help="end after N pictures"
    )
    args = connection.parse_arguments(parser)
    if not args.show and not args.folder:
        args.folder = "pictures"
    return args


def add_output_arguments(parser):
    parser.add_argument(
        "--show", action="store_true", help="show them in a window, by OpenCV or Pillow"
    )
    parser.add_argument("--folder", help="save them here")


def open_outputs(args):
    """Functions that take a picture."""
    outputs = []
    if args.show:
        outputs.append(open_window())
    if args.folder:
        outputs.append(open_folder(args.folder))
    return outputs


def open_folder(name):
    folder = pathlib.Path(name)
    folder.mkdir(parents=True, exist_ok=True)
    saved = 0

    def save(picture):
        nonlocal saved
        saved += 1
        (folder / f"{saved:06}.jpg").write_bytes(picture)

    return save


def open_window():
    for open_it in (open_opencv_window, open_pillow_window):
        try:
            return open_it()
        except ImportError:
            pass
    sys.exit("--show needs OpenCV (opencv-python) or Pillow with tkinter. Saving needs neither.")


def open_opencv_window():
    import cv2
    import numpy

    def show(picture):
        image = cv2.imdecode(numpy.frombuffer(picture, numpy.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError(NO_PICTURE)
        cv2.imshow("videosocket", image)
        cv2.waitKey(1)

    return show


def open_pillow_window():
    import tkinter

    from PIL import Image, ImageTk

    try:
        window = tkinter.Tk()
    except tkinter.TclError as error:
        sys.exit(f"There is no window to show pictures in: {error}")
    window.title("videosocket")
    window.protocol("WM_DELETE_WINDOW", sys.exit)
    label = tkinter.Label(window)
    label.pack()

    def show(picture):
        try:
            label.image = ImageTk.PhotoImage(Image.open(io.BytesIO(picture)))
        except OSError:
            raise ValueError(NO_PICTURE) from None
        label.configure(image=label.image)
        window.update()

    return show


if __name__ == "__main__":
    connection.run(main)
