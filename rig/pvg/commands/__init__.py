# SPDX-License-Identifier: GPL-2.0-only
"""One module a sub-command: HELP, configure(parser) and main(args) -> exit status."""
