# SPDX-License-Identifier: MIT
"""What selftests/guest/check is made of."""
