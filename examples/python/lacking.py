# SPDX-License-Identifier: MPL-2.0
"""For tests that need what is not on every machine."""

import importlib.util
import sys
import unittest


def needs(module):
    """Passes over a test where the module is not installed, and says so."""
    if importlib.util.find_spec(module) is None:
        print(f"SKIPPED: {module} is not installed for {sys.executable}", file=sys.stderr)
        return unittest.skip(f"{module} is not installed")
    return lambda test: test
