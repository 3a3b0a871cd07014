# SPDX-License-Identifier: MIT
"""The parts of selftests/guest/mutants/run."""
