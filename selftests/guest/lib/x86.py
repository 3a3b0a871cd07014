# SPDX-License-Identifier: MIT
"""Linux's own x86 selftests: built from the same tree, compared with their native results."""
import functools
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pvg.base import files, ktap, programs, releases

from lib import build, guest

# How each program ended: name -> a sentence.
Outcomes = dict[str, str]

SELFTESTS = build.LINUX / "source" / "tools" / "testing" / "selftests" / "x86"
DEVIATIONS = build.SOURCES / "lib" / "x86-deviations.txt"
LIMIT = 600             # seconds for one program that hangs
BOOT = 7200             # seconds for all of them, which take about 30
# On one processor Linux turns LOCK prefixes into DS ones, which do nothing in 64-bit mode.  QEMU's
# emulator (7.2) adds DS's base for them: an interrupt while ldt_gdt_32 has a base in DS, and the
# kernel reads and writes anywhere.
_APPEND = ("--append", "noreplace-smp")


def deviations() -> dict[str, str]:
    """Names of programs that may differ from native, with the reason of each."""
    known: dict[str, str] = {}
    for number, line in enumerate(DEVIATIONS.read_text(encoding="utf-8").splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, _, reason = line.partition(":")
        if not reason.strip() or name in known:
            raise build.BuildError(f"{DEVIATIONS}:{number}: needs 'name: reason', once each")
        known[name] = reason.strip()
    return known


@functools.cache
def _library(bits: str, name: str) -> Path | None:
    """The library NAME of programs of BITS bits, as gcc finds it; None if it does not."""
    said = subprocess.run(["gcc", "-m" + bits, "-print-file-name=" + name], capture_output=True,
                          text=True, check=True).stdout.strip()
    path = Path(said)
    return path.resolve() if path.is_absolute() and path.exists() else None


def _libraries(program: Path, found: dict[str, Path]) -> None:
    """Add to FOUND, path in the guest -> file here, the files that PROGRAM needs to start.

    Read from the file, not asked of ldd, which starts the program's loader: that of 32-bit
    programs does not run on every machine that can build them.
    """
    headers = subprocess.run(["readelf", "-W", "-l", str(program)], capture_output=True, text=True,
                             check=True).stdout
    for loader in re.findall(r"program interpreter: (\S+)\]", headers):
        found[loader] = Path(loader)
    for name in programs.needed(program):
        library = _library(program.name[-2:], name)
        if not library:
            raise build.BuildError(f"{program.name} needs {name}, which gcc does not find")
        found[str(library.parent / name)] = library


def prepare() -> Path:
    """Build the programs; returns the folder to add, which holds their libraries too."""
    out = guest.WORK / "x86"
    folder = guest.WORK / "add-x86"
    inside = folder / guest.FOLDER.lstrip("/")
    out.mkdir(parents=True, exist_ok=True)
    build.make("check-guest-x86.log", "-C", str(SELFTESTS), f"OUTPUT={out}", "all")
    shutil.rmtree(folder, ignore_errors=True)
    libraries: dict[str, Path] = {}
    for program in sorted(out.glob("*_[36][24]")):
        files.install(program, inside / program.name)
        subprocess.run(["strip", str(inside / program.name)], check=False)
        _libraries(program, libraries)
    for place, library in libraries.items():
        files.install(library, folder / place.lstrip("/"))
    files.install(build.RUNNER, inside / "run-in-guest")
    return folder


def names(folder: Path) -> list[str]:
    """The programs in FOLDER."""
    inside = folder / guest.FOLDER.lstrip("/")
    return [p.name for p in sorted(inside.iterdir()) if re.search(r"_(32|64)$", p.name)]


def outcome(program: guest.Program) -> str:
    """The comparable part of a run: its end and its failures, without numbers."""
    if program.status is None:
        return "the guest did not survive it"
    failures = sorted({re.sub(r"0x[0-9a-f]+|\d+", "N", line.strip()) for line in program.lines
                       if "[FAIL]" in line or line.startswith("not ok")})
    words = [f"exit status {program.status}"]
    if failures:
        words.append("; ".join(failures))
    return ", ".join(words)


def _lost(found: Outcomes) -> list[str]:
    """The programs whose outcome in FOUND is that the guest was gone before they ended."""
    return [name for name, text in found.items() if text.startswith("the guest")]


def _run(hv: str, kernel: str, folder: Path,
         chosen: Sequence[str]) -> tuple[Outcomes, guest.Run]:
    """Outcome of each program in CHOSEN, by name; programs behind a crash get another boot."""
    run = guest.Run(hv, kernel, guest.command(LIMIT, chosen), [folder], timeout=BOOT,
                    options=_APPEND)
    found = {p.name: outcome(p) for p in guest.programs(run, chosen)}
    lost = _lost(found)
    if lost and len(lost) < len(chosen):
        # The first of them ended the guest; the others get another boot.
        if lost[1:]:
            found.update(_run(hv, kernel, folder, lost[1:])[0])
    return found, run


def natively(folder: Path) -> Outcomes:
    """Outcome of the programs on the native kernel, cached by kernel and programs."""
    build.kernel("native")
    key = files.digest([folder / guest.FOLDER.lstrip("/"),
                        guest.BUILD / "kernels" / releases.default() / "native" / "vmlinux"])
    memory = guest.WORK / f"x86-native-{key}.json"
    if memory.exists():
        kept: Outcomes = json.loads(memory.read_text(encoding="utf-8"))
        return kept
    found, run = _run("none", "native", folder, names(folder))
    lost = _lost(found)
    if lost:
        raise build.BuildError(f"x86 selftests did not all run natively: {' '.join(lost)}: "
                               + " ".join(run.tail()[-1:]))
    # The shell's exit status for a program that cannot be started: equal on both sides, nothing tested.
    lame = [name for name, text in found.items() if re.match(r"exit status 12[67]\b", text)]
    if lame:
        raise build.BuildError("x86 selftests do not start natively: " + " ".join(lame))
    memory.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return found


def check(group: ktap.Group, hv: str, kernel: str) -> None:
    """Compare KERNEL on HV with native; one result for each program."""
    folder = prepare()
    known = deviations()
    native = natively(folder)
    found, run = _run(hv, kernel, folder, names(folder))
    if run.status:
        group.note("\n".join(run.tail()))
    for name in names(folder):
        if found[name] == native[name]:
            if name in known:
                group.result(False, name, ["equals native now; take it off x86-deviations.txt"])
            else:
                group.result(True, name)
        elif name in known:
            group.skip(name, "known to differ: " + known[name])
        else:
            group.result(False, name, ["native: " + native[name], "here: " + found[name]])
