# SPDX-License-Identifier: MPL-2.0
"""Takes pictures of the page one after the other, with three viewers, of which the last stalls:
animation.py FOLDER SECONDS PER_SECOND"""

import pathlib
import sys
import time

from support import Server, eventually, open_browser, stall, table, use_screen, watch_plainly


def main(folder, seconds, per_second):
    server = Server("--timeout", "60")
    browser = open_browser()
    try:
        use_screen(browser, 1440, 660)
        browser.get(server.page)
        state = browser.find_element("id", "state")
        eventually("the page is live", lambda: state.text == "Live")
        with watch_plainly(server), stall(server):
            eventually("all are in the table", lambda: len(table(browser)) == 3)
            start = time.monotonic()
            for number in range(int(seconds) * int(per_second)):
                time.sleep(max(0, start + number / int(per_second) - time.monotonic()))
                file = pathlib.Path(folder) / f"{number:03}.png"
                file.write_bytes(browser.get_screenshot_as_png())
    finally:
        browser.quit()
        server.kill()


if __name__ == "__main__":
    main(*sys.argv[1:])
