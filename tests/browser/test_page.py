# SPDX-License-Identifier: MPL-2.0
"""The page of camera_server, as those see it who watch."""

import json
import pathlib
import socket
import subprocess
import tempfile
import unittest

from support import (
    PATIENCE,
    WINDOW,
    Server,
    address_of,
    eventually,
    open_browser,
    stall,
    table,
    use_screen,
    watch_plainly,
)

VIEWER, CONNECTED, FRAMES, DROPPED = range(4)
MANY = 20
PHONES = [(320, 568), (360, 740), (430, 932)]


class PageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = open_browser()
        cls.addClassCleanup(cls.browser.quit)

    def setUp(self):
        use_screen(self.browser, *WINDOW)

    def tearDown(self):
        self.assertEqual(self.complaints(), [])
        first, *others = self.browser.window_handles
        for tab in others:
            self.browser.switch_to.window(tab)
            self.browser.close()
        self.browser.switch_to.window(first)
        self.browser.get("about:blank")

    def complaints(self):
        """What the console says since it was asked last."""
        return [entry["message"] for entry in self.browser.get_log("browser")]

    def serve(self, *options, **ports):
        server = Server(*options, **ports)
        self.addCleanup(server.kill)
        return server

    def open(self, server):
        self.browser.get(server.page)
        self.is_live()

    def open_tab(self, server):
        self.browser.switch_to.new_window("tab")
        self.browser.get(server.page)

    def is_live(self):
        eventually("the page is live", lambda: self.text("#state") == "Live")

    def text(self, selector):
        return self.browser.find_element("css selector", selector).text

    def rows(self):
        return table(self.browser)

    def row(self, viewer):
        return next((row for row in self.rows() if row[VIEWER].split()[0] == viewer), None)

    def own_row(self):
        [row] = [row for row in self.rows() if "(browser)" in row[VIEWER]]
        return row

    def count_is(self, count):
        eventually(f"{count} are in the table", lambda: len(self.rows()) == count)
        eventually(f"{count} are counted", lambda: self.text("#count") == str(count))

    def picture(self):
        """What is seen of it."""
        return self.browser.find_element("id", "picture").screenshot_as_png

    def picture_moves(self):
        before = self.picture()
        eventually("the picture moves", lambda: self.picture() != before)

    def colours(self):
        """Of a line across the bars, roughly."""
        return self.browser.execute_script(
            "const { data } = document.getElementById('picture').getContext('2d')"
            ".getImageData(0, 160, 640, 1);"
            "const colours = new Set();"
            "for (let i = 0; i < data.length; i += 4)"
            " colours.add([0, 1, 2].map((c) => Math.round(data[i + c] / 128)).join());"
            "return colours.size"
        )

    def width(self):
        """A phone zooms out where that is wider than its screen."""
        return self.browser.execute_script("return document.documentElement.scrollWidth")

    def test_a_picture_moves(self):
        self.open(self.serve())
        self.assertRegex(self.text("#figures"), r"^640×480 JPEG, \d+ pictures/s$")
        self.picture_moves()
        self.assertGreaterEqual(self.colours(), 7)

    def test_h264_moves(self):
        self.open(self.serve("--codec", "h264"))
        self.assertRegex(self.text("#figures"), r"^640×480 H\.264, \d+ pictures/s$")
        self.picture_moves()
        self.assertGreaterEqual(self.colours(), 7)

    def test_the_table_counts(self):
        self.open(self.serve())
        self.count_is(1)
        before = int(self.own_row()[FRAMES])
        eventually("frames are counted", lambda: int(self.own_row()[FRAMES]) > before)
        self.assertEqual(self.own_row()[DROPPED], "0")

    def test_a_second_viewer_appears_and_goes(self):
        server = self.serve()
        self.open(server)
        self.count_is(1)
        with watch_plainly(server) as (name, _):
            eventually("it is in the table", lambda: self.row(name))
            self.count_is(2)
        eventually("it is out again", lambda: not self.row(name))
        self.count_is(1)

    def test_a_second_page_appears_and_goes(self):
        server = self.serve()
        self.open(server)
        [first] = self.browser.window_handles
        self.open_tab(server)
        self.is_live()
        self.count_is(2)
        self.browser.close()
        self.browser.switch_to.window(first)
        self.count_is(1)
        self.picture_moves()

    def test_a_stalled_browser_loses_frames_alone(self):
        # With time for a browser that is only slow, on a machine that has much to do.
        server = self.serve("--timeout", "60", "--max-delay", "2")
        self.open(server)
        own = self.own_row()
        with stall(server) as stalled:
            name = address_of(stalled)
            eventually("it is in the table", lambda: self.row(name))
            eventually("it loses frames", lambda: self.row(name)[DROPPED] != "0")
            now = self.row(own[VIEWER].split()[0])
            self.assertEqual(now[DROPPED], "0")
            self.assertGreater(int(now[FRAMES]), int(own[FRAMES]))
            self.picture_moves()

    def test_many_watch_at_once(self):
        server = self.serve()
        self.open(server)
        for _ in range(MANY - 1):
            self.open_tab(server)
        self.is_live()
        self.count_is(MANY)
        before = {row[VIEWER]: int(row[FRAMES]) for row in self.rows()}
        self.assertEqual(len(before), MANY)
        eventually(
            "each gets frames",
            lambda: all(int(row[FRAMES]) > before[row[VIEWER]] for row in self.rows()),
        )

    def test_the_page_finds_the_server_again(self):
        server = self.serve()
        self.open(server)
        server.stop()
        eventually("the page tells", lambda: self.text("#state").startswith("No connection"))
        self.serve(port=server.port, web=server.web)
        self.is_live()
        self.picture_moves()
        # Of the tries in between.
        for complaint in self.complaints():
            self.assertIn("ERR_CONNECTION_REFUSED", complaint)

    def test_a_snapshot_is_the_jpeg_file_as_it_came(self):
        server = self.serve()
        with watch_plainly(server) as (_, received):
            file = self.snapshot(server)
            self.assertTrue(file.startswith(b"\xff\xd8"))
            eventually("it is among the frames", lambda: file in received)

    def test_a_snapshot_of_h264_is_a_jpeg_file(self):
        file = self.snapshot(self.serve("--codec", "h264"))
        self.assertTrue(file.startswith(b"\xff\xd8"))
        self.assertTrue(file.endswith(b"\xff\xd9"))

    def snapshot(self, server):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.browser.execute_cdp_cmd(
            "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": folder.name}
        )
        self.open(server)
        self.browser.find_element("id", "snapshot").click()
        saved = pathlib.Path(folder.name)
        [file] = eventually("it is saved", lambda: list(saved.glob("snapshot-*.jpg")))
        return file.read_bytes()

    def test_nothing_is_wider_than_a_phone(self):
        server = self.serve()
        self.open(server)
        with watch_plainly(server):
            self.count_is(2)
            for width, height in PHONES:
                for scheme in ["light", "dark"]:
                    use_screen(self.browser, width, height, scheme)
                    self.assertEqual(self.width(), width, scheme)
                    self.picture_moves()

    def test_it_is_light_or_dark_as_the_system_is(self):
        self.open(self.serve())
        lightness = {}
        for scheme in ["light", "dark"]:
            use_screen(self.browser, *WINDOW, scheme)
            body = self.browser.find_element("tag name", "body")
            colours = [body.value_of_css_property(name) for name in ["background-color", "color"]]
            lightness[scheme] = [sum(json.loads(f"[{c[5:-1]}]")[:3]) for c in colours]
        ground, ink = lightness["light"]
        self.assertGreater(ground, ink + 300)
        ground, ink = lightness["dark"]
        self.assertGreater(ink, ground + 300)

    def test_everything_comes_from_the_server_itself(self):
        server = self.serve()
        self.open(server)
        names = self.browser.execute_script(
            "return performance.getEntriesByType('resource').map((entry) => entry.name)"
        )
        self.assertIn(f"{server.page}page.js", names)
        for name in names:
            self.assertTrue(name.startswith(server.page), name)

    def test_nobody_else_reaches_it_unless_told_otherwise(self):
        server = self.serve()
        for address in other_addresses():
            with self.subTest(address), self.assertRaises(ConnectionRefusedError):
                socket.create_connection((address, server.web), PATIENCE).close()
        server = self.serve("--web-host", "*")
        for address in other_addresses():
            with self.subTest(address):
                socket.create_connection((address, server.web), PATIENCE).close()


def other_addresses():
    """Of this machine. Every Linux machine has the first."""
    interfaces = json.loads(subprocess.check_output(["ip", "-json", "address"]))
    found = [address for interface in interfaces for address in interface["addr_info"]]
    return ["127.0.0.2"] + [
        address["local"] for address in found if address["scope"] == "global"
    ]


if __name__ == "__main__":
    unittest.main()
