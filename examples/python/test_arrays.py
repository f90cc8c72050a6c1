# SPDX-License-Identifier: MPL-2.0
"""Raw pictures as arrays, where NumPy is installed."""

import unittest

from lacking import needs

try:
    import numpy

    from videosocket.arrays import FORMATS, Layout
except ImportError:
    pass


@needs("numpy")
class LayoutTest(unittest.TestCase):
    def test_rows_begin_at_multiples_of_four(self):
        layout = Layout("BGR", 3, 2)
        self.assertEqual((layout.stride, layout.size), (12, 24))
        picture = numpy.arange(18, dtype=numpy.uint8).reshape(2, 3, 3)
        payload = layout.payload(picture)
        rows = [bytes(range(9)) + bytes(3), bytes(range(9, 18)) + bytes(3)]
        self.assertEqual(payload, b"".join(rows))
        numpy.testing.assert_array_equal(layout.array(payload), picture)

    def test_every_format_comes_back(self):
        for name, (channels, kind) in FORMATS.items():
            for width in (1, 2, 3, 4, 5, 64):
                layout = Layout(name, width, 3)
                shape = (3, width) + ((channels,) if channels > 1 else ())
                picture = numpy.arange(numpy.prod(shape)).reshape(shape).astype(kind)
                payload = layout.payload(picture)
                self.assertEqual(len(payload), layout.size)
                array = layout.array(payload)
                numpy.testing.assert_array_equal(array, picture)
                self.assertEqual(array.dtype, numpy.dtype(kind))
                self.assertEqual(Layout.from_caps(layout.caps), layout)

    def test_an_array_is_a_view(self):
        layout = Layout("GRAY8", 5, 2)
        memory = bytearray(layout.size)
        array = layout.array(memory)
        memory[8] = 7
        self.assertEqual(array[1, 0], 7)
        with self.assertRaises(ValueError):
            layout.array(bytes(memory))[0, 0] = 1

    def test_caps_as_gstreamer_writes_them(self):
        layout = Layout("BGRx", 640, 480)
        for caps in (
            "video/x-raw,format=BGRx,width=640,height=480",
            "video/x-raw, format=(string)BGRx, width=(int)640, height=(int)480, "
            "framerate=(fraction)30/1, pixel-aspect-ratio=(fraction)1/1;",
            'video/x-raw(memory:SystemMemory), height=480, width=640, format="BGRx"',
        ):
            self.assertEqual(Layout.from_caps(caps), layout)

    def test_caps_that_do_not_tell_enough(self):
        for caps, word in [
            ("image/jpeg", "image/jpeg"),
            ("video/x-raw,format=BGR,width=640", "height"),
            ("video/x-raw,format=I420,width=640,height=480", "I420"),
            ("video/x-raw,format=BGR,width=0,height=480", "0x480"),
            ("video/x-raw,format=BGR,width=[1,2],height=480", "1"),
        ]:
            with self.assertRaisesRegex(ValueError, word):
                Layout.from_caps(caps)

    def test_what_opencv_has(self):
        for shape, name in [((4, 6, 3), "BGR"), ((4, 6), "GRAY8"), ((4, 6, 4), "BGRA")]:
            picture = numpy.ones(shape, numpy.uint8)
            layout = Layout.of(picture)
            self.assertEqual(layout, Layout(name, 6, 4))
            # Of a part of a picture as well.
            part = picture[::2, 1:4]
            numpy.testing.assert_array_equal(
                Layout.of(part).array(Layout.of(part).payload(part)), part
            )

    def test_what_does_not_fit_is_refused(self):
        layout = Layout("BGR", 4, 2)
        for size in (0, 23, 25):
            with self.assertRaisesRegex(ValueError, f"24 bytes.* {size}"):
                layout.array(bytes(size))
        for picture in (
            numpy.zeros((2, 4), numpy.uint8),
            numpy.zeros((4, 2, 3), numpy.uint8),
            numpy.zeros((2, 4, 3), numpy.float32),
        ):
            with self.assertRaises(ValueError):
                layout.payload(picture)
        for picture in (numpy.zeros(5, numpy.uint8), numpy.zeros((2, 4, 7), numpy.uint8)):
            with self.assertRaises(ValueError):
                Layout.of(picture)


if __name__ == "__main__":
    unittest.main()
