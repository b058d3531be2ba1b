# SPDX-License-Identifier: BSD-3-Clause
"""The tests of the DPDK forwarding device use the programs and checks of the end-to-end tests."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
