# SPDX-License-Identifier: MPL-2.0
"""Takes a picture of the page with three viewers, of which the last stalls: screenshot.py FILE"""

import pathlib
import sys

from support import (
    Server,
    address_of,
    eventually,
    open_browser,
    stall,
    table,
    use_screen,
    watch_plainly,
)


def main(file):
    server = Server("--timeout", "60")
    browser = open_browser()
    try:
        use_screen(browser, 1280, 604)
        browser.get(server.page)
        with watch_plainly(server), stall(server) as stalled:
            name = address_of(stalled)
            eventually("the last loses frames", lambda: dropped(browser, name) > 60)
            pathlib.Path(file).write_bytes(browser.get_screenshot_as_png())
    finally:
        browser.quit()
        server.kill()


def dropped(browser, name):
    return sum(int(row[3]) for row in table(browser) if row[0].startswith(name))


if __name__ == "__main__":
    main(*sys.argv[1:])
