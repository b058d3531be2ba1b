# SPDX-License-Identifier: BSD-3-Clause
"""Where the programs under test are."""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def program(env, *places):
    """A program under test: named by the environment, or in the build folder."""
    if os.environ.get(env):
        return os.environ[env]
    for place in places:
        if (ROOT / place).exists():
            return str(ROOT / place)
    raise FileNotFoundError(f"{places[0]} is not built: run make (or set {env})")


def vtrace_path():
    return program("VTRACE", "build/src/vtrace", "build/vtrace")


def traffic_path():
    return program("LAB_TRAFFIC", "build/lab/lab-traffic", "build/lab-traffic")
