# SPDX-License-Identifier: GPL-2.0-only
"""The dispatcher: discovers sub-commands, parses their words, turns errors into exit statuses."""
import argparse
import importlib
import os
import pkgutil
import signal
import sys

from pvg import commands, errors, files, paths, progress


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaint is one line that says what to do next."""

    def error(self, message):
        raise errors.UsageError(f"{message} (see '{self.prog} --help')")


def discover():
    """Names of the sub-commands, with '-' where the module's name has '_'."""
    return sorted(m.name.replace("_", "-") for m in pkgutil.iter_modules(commands.__path__)
                  if not m.name.startswith("_"))


def load(name):
    """The module of sub-command NAME."""
    return importlib.import_module("pvg.commands." + name.replace("-", "_"))


def overview():
    """The text of --help."""
    lines = ["usage: pvguest COMMAND [OPTION]...", "",
             "A Linux guest port for a bare-metal hypervisor: build it, boot it, measure it.", ""]
    for name in discover():
        lines.append(f"  {name:14s} {load(name).HELP}")
    lines += ["", "example: pvguest run -- uname -r",
              "'pvguest COMMAND --help' tells the options of each."]
    return "\n".join(lines)


def dispatch(words):
    """Run the sub-command that WORDS name and return its exit status."""
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())
        return 0 if words else errors.EXIT_USAGE
    name = words[0]
    if name not in discover():
        known = ", ".join(discover())
        raise errors.UsageError(f"unknown command '{name}'; there are: {known}")
    module = load(name)
    parser = Parser(prog=f"pvguest {name}", description=module.HELP, allow_abbrev=False,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    module.configure(parser)
    words, command = words[1:], []
    if getattr(module, "TAKES_COMMAND", False) and "--" in words:
        at = words.index("--")
        words, command = words[:at], words[at + 1:]
    args = parser.parse_args(words)
    args.command = command
    status = module.main(args)
    return 0 if status is None else status


def report(error):
    """Print ERROR: one line, then the end of its log if it has one."""
    progress.say(str(error))
    if error.log is not None:
        for line in files.last_lines(error.log):
            print("  | " + line, file=sys.stderr)
        progress.say(f"log: {paths.shown(error.log)}")


def main(words):
    """Entry point; returns the exit status."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        status = dispatch(words)
        sys.stdout.flush()
        return status
    except errors.PvgError as error:
        report(error)
        return error.status
    except KeyboardInterrupt:
        progress.say("interrupted")
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # The reader of our output has gone: keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:
        progress.say(f"{error.filename or 'system'}: {error.strerror}")
        return errors.EXIT_RIG
