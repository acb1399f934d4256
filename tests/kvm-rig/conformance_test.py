#!/usr/bin/python3
# Tests of how the rig judges a conformance guest, with output of the test's making.
import tempfile
import unittest

import conformance
import differences
import host
import l1
import lockstep_jobs

GOOD = "ok one\nok two\nok three\nchecks 3 failed 0 skipped 0\n"
ONE_FAILS = "ok one\r\nFAIL two -- got 1, wanted 2\r\nok three\r\nchecks 3 failed 1 skipped 0\r\n"


def lists(own, qemu=""):
    known = conformance.Differences()
    for text, read in ((qemu, lambda path: known.read_qemu(path, "qemu")), (own, known.read_own)):
        with tempfile.NamedTemporaryFile("w", suffix=".differences") as file:
            file.write(text)
            file.flush()
            read(file.name)
    return known


def judged(output, status, known=None):
    return conformance.judge("guest", 3, known or lists(""), status, output)


class Judge(unittest.TestCase):
    def test_all_good(self):
        verdict = judged(GOOD, 1)
        self.assertEqual((len(verdict.passed), verdict.problems), (3, []))

    def test_a_failure(self):
        self.assertEqual(judged(ONE_FAILS, 3).problems, ["two -- got 1, wanted 2"])

    def test_an_allowed_difference(self):
        verdict = judged(ONE_FAILS, 3, lists("# why\n# it is so\nguest: two\n"))
        self.assertEqual(verdict.problems, [])
        self.assertEqual([(check.name, reason) for check, reason in verdict.differences], [("two", "why it is so")])

    def test_an_allowed_difference_of_another_guest(self):
        self.assertEqual(len(judged(ONE_FAILS, 3, lists("# why\nother: two\n")).problems), 1)

    def test_an_allowed_difference_that_does_not_occur(self):
        self.assertIn("did not occur", judged(GOOD, 1, lists("# why\nguest: two\n")).problems[0])
        self.assertIn("did not occur", judged(GOOD, 1, lists("", "guest: gone\n")).problems[0])
        self.assertEqual(judged(GOOD, 1, lists("# why\nsometimes guest: two\n")).problems, [])

    def test_differences_by_chance(self):
        known = lists("# why\nguest: two\n").by_chance()
        self.assertEqual((judged(GOOD, 1, known).problems, judged(ONE_FAILS, 3, known).problems), ([], []))

    def test_what_a_list_takes_out_of_another(self):
        self.assertEqual(judged(GOOD, 1, lists("# why\nnot guest: t*\n", "guest: two\n")).problems, [])
        self.assertEqual(len(judged(ONE_FAILS, 3, lists("# why\nnot guest: two\n", "guest: two\n")).problems), 1)
        with self.assertRaises(ValueError):
            lists("# why\nnot guest: two\n")

    def test_what_is_skipped(self):
        verdict = judged(ONE_FAILS.replace("FAIL two", "skip two").replace("failed 1 skipped 0", "failed 0 skipped 1"), 1)
        self.assertEqual((len(verdict.skipped), len(verdict.passed), verdict.problems), (1, 2, []))
        self.assertEqual([check.detail for check in judged("skip * -- no such device\n", 1).skipped], ["no such device"])

    def test_a_guest_that_goes_wrong(self):
        for output, status in ((GOOD, 3), (GOOD, 6), (GOOD, None), ("", 1), (GOOD.replace("ok two\n", ""), 1),
                               (GOOD.replace("two", "one"), 1), (GOOD.replace("checks 3 failed 0 skipped 0\n", ""), 1),
                               (GOOD.replace("ok two", "o"), 1), ("skip * -- no such device\n", 3)):
            self.assertNotEqual(judged(output, status).problems, [], (output, status))

    def test_the_lists_can_be_read(self):
        self.assertGreater(len(conformance.guest_list()), 20)
        differences.of_kvm()
        differences.in_pvm()


class Host(unittest.TestCase):
    def test_what_runs_where(self):
        class Job:
            def __init__(self, name):
                self.name = name
        jobs = [Job("guest-pit"), Job("guest-paging"), Job("boot-debian")]
        pvm = {"usable": False, "why": "it is software", "modules": ["kvm", "kvm_pvm"],
               "probe": [{"test": "hlt", "works": True, "detail": ""}]}
        no_device = {**pvm, "why": "there is no /dev/kvm", "probe": []}
        real = {"usable": True, "why": "it is real", "modules": ["kvm", "kvm_amd"], "probe": []}
        for kvm, where, wanted in ((pvm, "host", 0), (pvm, "pvm", 1), (real, "host", 3), (real, "pvm", 0),
                                 (no_device, "pvm", 0)):
            chosen, reasons = host.choose(kvm, where, jobs)
            skipped = [reason for reason in reasons if reason.startswith("SKIP")]
            self.assertEqual((len(chosen), len(skipped)), (wanted, 3 - wanted), (kvm, where))
        self.assertIn("SKIP guest-paging: it is software", host.choose(pvm, "pvm", jobs)[1])


class Lockstep(unittest.TestCase):
    AGREE = "lockstep: the engines agree: 7 instructions, compared 1 times, in 0.1 s (guest exit)\nkvm: 6 instructions stepped\n"
    DIFFER = "lockstep: interp and kvm differ after instruction 7: EIP: 00000001 / 00000002\nthe instruction is at EIP 00100010\n"

    def outcome(self, status, output):
        outcome = l1.Outcome("lockstep-guest")
        outcome.status, outcome.output = status, output
        return outcome

    def judged(self, status, output, known=None):
        return lockstep_jobs.judge_agreement(self.outcome(status, output), known)

    def test_agreement(self):
        verdict = self.judged(0, self.AGREE)
        self.assertEqual((verdict.problems, len(verdict.passed), len(verdict.notes)), ([], 1, 2))
        self.assertNotEqual(self.judged(0, "").problems, [])
        self.assertNotEqual(self.judged(10, self.AGREE).problems, [])

    def test_known_differences(self):
        self.assertEqual(len(self.judged(12, self.DIFFER, ("EIP: 0+1 / 0+2", "why")).differences), 1)
        self.assertNotEqual(self.judged(12, self.DIFFER, ("EAX", "why")).problems, [])
        self.assertNotEqual(self.judged(12, self.DIFFER).problems, [])
        self.assertIn("take the guest off", self.judged(0, self.AGREE, ("EIP", "why")).problems[0])

    def test_a_seeded_fault(self):
        for status, address, good in ((12, 0x100010, True), (12, 0x100011, False), (0, 0x100010, False)):
            problems = lockstep_jobs.judge_seeded(self.outcome(status, self.DIFFER), address).problems
            self.assertEqual(not problems, good, (status, address))

    def test_the_list_can_be_read(self):
        differences_known, skipped = lockstep_jobs.known_differences()
        guests = conformance.guest_list()
        for guest in list(differences_known) + list(skipped):
            self.assertIn(guest, guests)
        for _, reason in differences_known.values():
            self.assertTrue(reason)
        self.assertTrue(all(skipped.values()))


if __name__ == "__main__":
    unittest.main()
