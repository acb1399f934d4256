#!/usr/bin/python3
# Tests of what run_tests.py takes from ctest and from the list of what the emulator gets wrong, and of how a console is read.
import tempfile
import unittest

import machine
import run_tests


def described(name, *command, **properties):
    return run_tests.Test({"name": name, "command": list(command),
                           "properties": [{"name": key, "value": value} for key, value in properties.items()]})


class Tests(unittest.TestCase):
    def test_what_needs_the_trap_engine(self):
        test = described("guest-trap", "/t/where_it_runs", "/b/ringshift", "/b/hello.elf", "/t/run", "x", TIMEOUT=90.0)
        self.assertEqual((test.needs_trap, test.command, test.seconds), (True, ["/t/run", "x"], 90))
        self.assertFalse(described("guest-bt", "/t/run", "x").needs_trap)

    def test_what_is_known(self):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("# why\nunit: A.B\nunit: C.D\nguest: a check\nleave out guest-x\n")
            file.flush()
            known, left_out = run_tests.known_of(file.name)
        self.assertEqual((known["unit"], known["guest"], left_out), (["A.B", "C.D"], ["a check"], {"guest-x": "why"}))
        unit, guest = described("unit", "/b/unit"), described("guest", "/t/run", "--differences", "own", "list")
        for test in (unit, guest):
            run_tests.let(test, known, "list-of-the-emulator")
        self.assertEqual(unit.environment, ["GTEST_FILTER=-A.B:C.D"])
        self.assertEqual(guest.command[1:4], ["--differences", "list-of-the-emulator", "--differences"])

    def test_the_console(self):
        reader = machine.Reader()
        for line in ("a boot's word", "@@NOTE up", "@@BEGIN 000-one", "said", "@@END 000-one 3 1.0 2.5", "@@BEGIN 001-two", "half"):
            reader.line(line)
        one, two = reader.outcomes["one"], reader.outcomes["two"]
        self.assertEqual((one.status, one.seconds, one.output), (3, 1.5, "said\n"))
        self.assertEqual((two.status, two.output, reader.done), (None, "half\n", False))
        self.assertEqual(reader.notes, ["a boot's word", "up"])


unittest.main()
