# SPDX-License-Identifier: MIT
"""Tests of the checks of names and of hypercalls in drivers: the violations that they find."""
import contextlib
import io
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "style"))

from checks import prefixes  # noqa: E402  (the path must be set first)

DRIVER = """
#include <linux/list.h>
#include <pvguest/parameter.h>
#include <pvguest/platform.h>

/* A comment may say tell() or: static int step; */
static DEFINE_SPINLOCK(%s_lock);
static const char *%s_text = "struct fake { int tell(void); };";
static struct %s_pair {
	int left, right;
} %s_pairs[] = {
	{ 1, 2 },
};

int %s_declared(int mfn_count);

static int __init __printf(1, 2)
%s_start(const char *text, ...)
	__releases(&lock)
{
	static int calls;

	if (calls) {
		calls++;
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(%s_stats);
device_initcall(%s_start);
EXPORT_SYMBOL_GPL(%s_start);
"""


def driver(*replaced: tuple[str, str]) -> str:
    """The text of a driver, with WORD replaced by OTHER for each pair."""
    text = DRIVER.replace("%s", "pvblk")
    for word, other in replaced:
        assert text.count(word) == 1, word
        text = text.replace(word, other)
    return text


class Names(unittest.TestCase):
    """Each kind of definition at file scope is seen, and no other name."""

    def found(self, text: str, name: str = "drivers/pvblk/main.c") -> list[str]:
        """Names that are reported for TEXT."""
        return [line.split(": ", 1)[1].split()[1] for line in prefixes.names(name, text)]

    def test_good(self) -> None:
        self.assertEqual(self.found(driver()), [])

    def test_function(self) -> None:
        self.assertEqual(self.found(driver(("\npvblk_start(", "\nstart("))), ["start"])

    def test_objects(self) -> None:
        for word, other, found in (
                ("(pvblk_lock)", "(lock)", "lock"), ("*pvblk_text", "*text", "text"),
                ("} pvblk_pairs", "} pairs", "pairs"), ("(pvblk_stats)", "(stats)", "stats_fops")):
            self.assertEqual(self.found(driver((word, other))), [found])

    def test_line(self) -> None:
        text = driver(("*pvblk_text", "*text"))
        line = text[:text.index("*text")].count("\n") + 1
        self.assertTrue(prefixes.names("drivers/pvblk/main.c", text)[0]
                        .startswith(f"drivers/pvblk/main.c:{line}: "))

    def test_of_another_driver(self) -> None:
        self.assertIn("pvblk_start", self.found(driver(), "drivers/pvnet/main.c"))

    def test_port(self) -> None:
        text = ("static int local;\nstatic int pv_local;\nint pvguest_one;\n"
                "int pv_two(void)\n{\n\treturn 0;\n}\n")
        self.assertEqual(self.found(text, "arch/x86/pvguest/pin.c"), ["local", "pv_two"])
        self.assertEqual(self.found(text, "arch/x86/pvguest/batch.c"), ["local"])


class Hypercalls(unittest.TestCase):
    """Hypercalls, their operations, machine frames and the port's own headers are found."""

    def test_good(self) -> None:
        self.assertEqual(prefixes.calls("drivers/pvblk/main.c", driver()), [])

    def test_each(self) -> None:
        for text in ("hyp_grant_table_op(cmd, op, 1);", "x = GNTTABOP_setup_table;",
                     "#include <pvabi/hypercall.h>", "unsigned long mfn;",
                     "#include <pvguest/other.h>", '#include "../../arch/x86/pvguest/internal.h"',
                     "pvguest_grant_op(cmd, op, 1);", "n = __HYPERVISOR_memory_op;"):
            found = prefixes.calls("drivers/pvblk/main.c", "\n" + text + "\n")
            self.assertEqual(len(found), 1, text)
            self.assertTrue(found[0].startswith("drivers/pvblk/main.c:2: "))

    def test_only_in_drivers(self) -> None:
        self.assertEqual(prefixes.calls("arch/x86/pvguest/pin.c", "unsigned long mfn;"), [])


class Repository(unittest.TestCase):
    """The rules hold."""

    def test_all(self) -> None:
        self.assertEqual(prefixes.main([]), 0)

    def test_files_that_cannot_be_checked(self) -> None:
        for path, about in (("none.c", "none.c: no such file"), ("/", "/: not a file"),
                            ("/etc/passwd", "/etc/passwd: not in this repository")):
            with self.subTest(path):
                output = io.StringIO()
                with contextlib.redirect_stderr(output):
                    self.assertEqual(prefixes.main([path]), 2)
                self.assertEqual(output.getvalue(), f"{prefixes.PROG}: {about}\n")


if __name__ == "__main__":
    unittest.main()
