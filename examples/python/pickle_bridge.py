#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Stands between a program that sends or receives pickled arrays, as in many OpenCV tutorials, and a pipeline.

A program that sends, here one that connects to port 9999 and packs the length with struct.pack("Q", ...):

    gst-launch-1.0 videosocketsrc mode=listen ! decodebin3 ! videoconvert ! autovideosink
    pickle_bridge.py --pickled-listen --pickled-port 9999 --header Q

Arrays of one dimension are JPEG files, as cv2.imencode() makes them, and go on as they are. Pictures go on as raw video,
whose caps are printed: the source needs them. A program that receives, to which the pipeline's frames go as pickled
arrays, of one dimension, or as pictures with --picture:

    gst-launch-1.0 videotestsrc is-live=true ! jpegenc ! videosocketsink mode=listen
    pickle_bridge.py --to-pickled --pickled-port 9999 --header ">L"
"""

import argparse
import sys

import connection
from videosocket import pickled

# GStreamer's rows begin at multiples of this.
ROW_ALIGNMENT = 4


def main():
    args = parse_arguments()
    program = open_program(args)
    pipeline = connection.open_connection(args)
    move = to_pickled if args.to_pickled else from_pickled
    frames = 0
    try:
        for frames, _ in enumerate(move(program, pipeline, args), 1):
            pass
    except KeyboardInterrupt:
        pass
    except (RuntimeError, ValueError) as error:
        sys.exit(f"{error}, after {frames} frames")
    finally:
        connection.close(pipeline)
        connection.close(program)
    print(f"{frames} frames")


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    connection.add_arguments(parser)
    parser.add_argument(
        "--header",
        choices=pickled.HEADERS,
        default="Q",
        help="what the program gives to struct.pack for the length; default: %(default)s",
    )
    parser.add_argument(
        "--to-pickled", action="store_true", help="from the pipeline to the program"
    )
    parser.add_argument(
        "--picture",
        metavar="WIDTHxHEIGHT",
        type=size,
        help="with --to-pickled: the frames are raw BGR pictures of this size (needs NumPy)",
    )
    parser.add_argument(
        "--pickled-listen", action="store_true", help="the program connects, not the bridge"
    )
    parser.add_argument("--pickled-host", type=connection.host, default="")
    parser.add_argument(
        "--pickled-port",
        type=connection.number(int, 0, 65535),
        default=9999,
        help="default: %(default)s",
    )
    return connection.parse_arguments(parser)


def size(text):
    width, _, height = text.partition("x")
    return int(width), int(height)


def open_program(args):
    if args.pickled_listen:
        return connection.accept(args.pickled_host, args.pickled_port)
    return connection.connect(args.pickled_host or "localhost", args.pickled_port, args.patience)


def from_pickled(program, pipeline, args):
    told = None
    for array in pickled.arrays(program.sock, args.header):
        caps, frame = frame_of(array)
        if caps != told:
            print(caps, flush=True)
            told = caps
        pipeline.vsend(frame)
        yield


def to_pickled(program, pipeline, args):
    array_of = arrays_of(args.picture)
    for frame in pipeline.frames():
        try:
            program.sock.sendall(pickled.dumps(array_of(frame.payload), args.header))
        except ConnectionError as error:
            raise RuntimeError("Socket connection broken") from error
        yield


def frame_of(array):
    """The caps and the bytes of a picture, with each row where GStreamer looks for it."""
    shape, is_encoded = array.shape, array.data[:2] == b"\xff\xd8"
    if array.dtype != "|u1" or array.is_fortran:
        raise ValueError(f"An array of {array.dtype} is no picture")
    if len(shape) == 1 or (len(shape) == 2 and shape[1] == 1 and is_encoded):
        return "image/jpeg" if is_encoded else "application/octet-stream", array.data
    pixel_len = shape[2] if len(shape) == 3 else 1
    format = {1: "GRAY8", 3: "BGR", 4: "BGRA"}.get(pixel_len)
    if len(shape) not in (2, 3) or format is None:
        raise ValueError(f"An array of shape {shape} is no picture")
    height, width = shape[:2]
    row_len = width * pixel_len
    padding = bytes(-row_len % ROW_ALIGNMENT)
    rows = (array.data[i * row_len : (i + 1) * row_len] for i in range(height))
    frame = b"".join(row + padding for row in rows) if padding else array.data
    return f"video/x-raw,format={format},width={width},height={height}", frame


def arrays_of(picture):
    try:
        import numpy
        from videosocket.arrays import Layout
    except ImportError:
        sys.exit("--to-pickled needs NumPy")
    if picture is None:
        return lambda frame: numpy.frombuffer(frame, numpy.uint8)
    return Layout("BGR", *picture).array


if __name__ == "__main__":
    connection.run(main)
