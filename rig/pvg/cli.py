# SPDX-License-Identifier: GPL-2.0-only
"""The dispatcher: discovers sub-commands, parses their words, turns errors into exit statuses."""
import argparse
import difflib
import importlib
import os
import pkgutil
import signal
import sys
from typing import Any

from pvg import commands
from pvg.base import arguments, errors, files, paths, progress, releases, version


def discover() -> list[str]:
    """Names of the sub-commands, with '-' where the module's name has '_'."""
    return sorted(m.name.replace("_", "-") for m in pkgutil.iter_modules(commands.__path__)
                  if not m.name.startswith("_"))


def load(name: str) -> Any:
    """The module of sub-command NAME."""
    return importlib.import_module("pvg.commands." + name.replace("-", "_"))


def overview() -> str:
    """The text of --help."""
    lines = ["usage: ./pvguest COMMAND [OPTION]...", "",
             "A Linux guest port for a bare-metal hypervisor: build it, boot it, measure it.", ""]
    for name in discover():
        lines.append(f"  {name:14s} {load(name).HELP}")
    lines += ["", "example: ./pvguest run -- uname -r",
              "'./pvguest COMMAND --help' lists the options of each,"
              " './pvguest --version' prints the version."]
    return "\n".join(lines)


def parser(name: str) -> argparse.ArgumentParser:
    """The parser of sub-command NAME."""
    module = load(name)
    made = arguments.Parser(prog=f"./pvguest {name}", description=module.HELP,
                            formatter_class=argparse.RawDescriptionHelpFormatter)
    module.configure(made)
    return made


def parse(words: list[str]) -> tuple[Any, argparse.Namespace]:
    """The meaning of WORDS: the sub-command's module and its arguments."""
    name = words[0]
    if name not in discover():
        if name.startswith("-"):
            raise errors.UsageError(f"unknown option '{' '.join(words)}' (see './pvguest --help')")
        near = difflib.get_close_matches(name, discover(), 1)
        about = f"; is it '{near[0]}'" if near else ""
        raise errors.UsageError(f"unknown command '{name}'{about}; there are: {', '.join(discover())}")
    module = load(name)
    words, command = words[1:], []
    if getattr(module, "TAKES_COMMAND", False) and "--" in words:
        at = words.index("--")
        words, command = words[:at], words[at + 1:]
    made = parser(name)
    args, rest = made.parse_known_args(words)
    if rest and getattr(module, "TAKES_COMMAND", False) and not rest[0].startswith("-"):
        raise errors.UsageError("COMMAND stands behind '--', after all options: "
                                f"./pvguest {name} -- {' '.join(rest)}")
    if rest:
        made.error("unrecognized arguments: " + " ".join(rest))
    args.command = command
    return module, args


def dispatch(words: list[str]) -> int:
    """Run the sub-command that WORDS name and return its exit status."""
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())
        return 0 if words else errors.EXIT_USAGE
    if words == ["--version"]:
        print(f"pvguest {version.VERSION}")
        return 0
    module, args = parse(words)
    arguments.check(args)
    if getattr(args, "linux", None):
        releases.use(args.linux)
    return int(module.main(args))


def report(error: errors.PvgError) -> None:
    """Print ERROR: one line, then the end of its log if it has one."""
    progress.say(str(error))
    if error.log is not None:
        for line in files.last_lines(error.log):
            print("  | " + line, file=sys.stderr)
        progress.say(f"log: {paths.shown(error.log)}")


def main(words: list[str]) -> int:
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
        # Exceptions such as TimeoutError have no number, and so no text of the system's.
        progress.say(f"{error.filename or 'system'}: {error.strerror or error}")
        return errors.EXIT_RIG
