#!/usr/bin/python3
# Tests of how era_bench.py judges what the machine printed.
import os
import tempfile
import unittest

import era_bench
import machine


def outcome(lines, status):
    made = machine.Outcome("x")
    made.output, made.status = "\n".join(lines) + "\n", status
    return made


class Judge(unittest.TestCase):
    def setUp(self):
        self.run = era_bench.Run("trap", xen=True)
        self.run.rows = {"in": {"cycles": None, "ns": None}}
        self.lines = ["# era-bench", "era in cycles 1 2 3", "era in ns 1.0 2.5 3", "era done"]

    def test_a_good_run(self):
        self.assertEqual(self.run.errors(outcome(self.lines, 0)), [])

    def test_a_row_that_is_missing_and_a_status(self):
        errors = self.run.errors(outcome(self.lines[:2] + self.lines[3:], 1))
        self.assertEqual(errors, ["trap+xen-pv: in: no ns", "trap+xen-pv: status 1, not 0"])

    def test_a_run_that_never_ended(self):
        self.assertEqual(len(self.run.errors(machine.Outcome("x"))), 4)

    def test_a_row_on_which_bt_is_no_faster(self):
        bt = era_bench.medians(outcome(self.lines, 0))
        self.assertEqual(bt, {"in": 2.5})
        self.assertEqual(era_bench.slower(["in", "out"], bt, {"in": 2.6, "out": 1.0}), [])
        self.assertEqual(era_bench.slower(["in"], bt, {"in": 2.5}), ["in: bt 2.5, trap 2.5"])

    def test_the_log_says_where_it_is_from(self):
        with tempfile.TemporaryDirectory() as folder:
            self.run.write_log(folder, outcome(self.lines, 0))
            with open(os.path.join(folder, "trap+xen-pv.log"), encoding="utf-8") as file:
                first, *rest = file.read().splitlines()
        self.assertRegex(first, r"^# note in a machine that QEMU's TCG emulates \(Haswell-noTSX, ")
        self.assertEqual(rest, self.lines)


unittest.main()
