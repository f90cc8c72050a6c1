# SPDX-License-Identifier: MPL-2.0
"""The package can be installed, and its types hold."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

from lacking import needs

FOLDER = pathlib.Path(__file__).parent
PATIENCE = 120  # seconds


class PackageTest(unittest.TestCase):
    # A test does not ask the network for what a build needs.
    @needs("setuptools")
    @needs("wheel")
    @needs("ensurepip")
    def test_it_installs(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            run(sys.executable, "-m", "venv", "--system-site-packages", folder / "venv")
            python = folder / "venv" / "bin" / "python"
            # A build leaves files behind.
            source = shutil.copytree(
                FOLDER, folder / "source", ignore=shutil.ignore_patterns("__pycache__")
            )
            install = [python, "-m", "pip", "install", "--no-index", "--no-build-isolation"]
            run(*install, source, cwd=folder)
            check = (
                "import pathlib, videosocket, videosocket.aio, videosocket.pickled;"
                "print(pathlib.Path(videosocket.__file__).with_name('py.typed').exists())"
            )
            self.assertEqual(run(python, "-I", "-c", check, cwd=folder).stdout, "True\n")

    @needs("mypy")
    @needs("numpy")
    def test_its_types_hold(self):
        checked = run(sys.executable, "-m", "mypy", "--cache-dir=/dev/null", cwd=FOLDER, check=False)
        self.assertEqual(checked.returncode, 0, checked.stdout)


def run(*command, **options):
    options = {"check": True, "cwd": None, **options}
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, **options)


if __name__ == "__main__":
    unittest.main()
