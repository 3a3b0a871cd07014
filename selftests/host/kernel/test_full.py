# SPDX-License-Identifier: MIT
"""Slow tests: the full configuration, with a distribution's options, boots as well."""
import os
import unittest

import rigtest

REQUIRED = ("SMP", "MODULES", "IKCONFIG_PROC", "DEBUG_WX", "FUNCTION_TRACER", "KPROBES",
          "PERF_EVENTS", "IA32_EMULATION", "SECCOMP_FILTER", "CGROUPS", "USER_NS", "IO_URING",
          "BPF_JIT", "RANDOMIZE_BASE", "PREEMPT", "TRANSPARENT_HUGEPAGE")


@unittest.skipUnless(os.environ.get("PVGUEST_LONG"),
                     "builds one more kernel; make check-long runs it")
class FullConfiguration(rigtest.FolderCase):
    """One more kernel, booted in both kinds of domain, from both kinds of file."""

    kernel = rigtest.KERNEL + "-full"

    @classmethod
    def setUpClass(cls) -> None:
        made = rigtest.call("build", "--kernel", cls.kernel)
        if made.returncode:
            raise RuntimeError(made.stderr.decode())

    def boot(self, *words: str) -> tuple[str, str]:
        """Run WORDS, the last ones being a command; returns its output and the log."""
        log = self.folder / "log"
        result = rigtest.call("run", "--kernel", self.kernel, "--no-build", "--log", log, "--timeout",
                              rigtest.LIMIT, *words)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        return result.stdout.decode(), log.read_text("utf-8", "replace")

    def test_options_are_on(self) -> None:
        text, _ = self.boot("--hv", "xen-dom0", "--", "zcat", "/proc/config.gz")
        for name in REQUIRED:
            self.assertIn(f"CONFIG_{name}=y\n", text)
        self.assertIn("# CONFIG_XEN is not set\n", text)

    def test_boots_everywhere(self) -> None:
        for hv in ("xen-dom0", "xen-domu"):
            for form in ((), ("--bzimage",)):
                with self.subTest(hv=hv, form=form):
                    text, _ = self.boot("--hv", hv, "--vcpus", "2", *form, "--", "nproc")
                    self.assertEqual(text, "2\n")

    def test_no_page_is_writable_and_executable(self) -> None:
        _, log = self.boot("--hv", "xen-dom0", "--", "true")
        self.assertIn("Checked W+X mappings: passed", log)


if __name__ == "__main__":
    unittest.main()
