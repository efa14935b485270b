"""The hub of Saturn Hub, ended by SIGKILL when its process reaches the point that SATURN_TEST_POINT names."""

import os
import sys

sys.path.insert(0, os.environ["SATURN_TEST_FAULTS"])

from hub_points import HUB_POINTS
from points import arm

load_subconfig(os.environ["SATURN_TEST_CONFIG_FILE"])  # noqa: F821
if point := os.environ.get("SATURN_TEST_POINT"):
    arm(HUB_POINTS[point])
