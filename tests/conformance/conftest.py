# SPDX-License-Identifier: BSD-3-Clause
"""The conformance suite uses the lab and the system of the end-to-end tests."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
