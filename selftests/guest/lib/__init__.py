# SPDX-License-Identifier: MIT
"""The parts of selftests/guest/check."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "rig"))
