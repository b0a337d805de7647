#!/usr/bin/env python3
"""Runs the test modules given as arguments and prints what passed, what not, and why.

A reason is known for the tests of what this server leaves out; a failure without one ends the
program with 1.
"""
import os
import sys
import unittest

# Part of a test's id -> why it can't pass here.
REASONS = {
    "test_train.TestEndPointTrain.test_001": "no trainers: POST /train/ answers {}",
    "test_train.TestEndPointTrain.test_002": "no trainers: POST /train/ answers {}",
    "test_trainer.": "no trainers: POST /train/{model} answers 404",
    "test_scoring.EndPointScoring.test_epistemic":
        "no scoring of that name: uncertainty is scored in the background (strategy uncertain)",
    "test_infer_wsi.": "no slides: pathology is not served",
    "test_lung_nodule": "the image of the detection data set is not in the studies",
}
if not os.environ.get("PACKAGE"):
    REASONS["test_model."] = "geodesic has no weights file: PACKAGE names a model that has one"


class Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.passed = []

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed.append(test)


def last_line(trace):
    return trace.strip().splitlines()[-1][:160]


def main():
    total = {"passed": 0, "known": 0, "failed": 0, "skipped": 0}
    for module in sys.argv[1:]:
        result = Result()
        unittest.defaultTestLoader.loadTestsFromName(module).run(result)
        bad = result.failures + result.errors
        known, unknown = [], []
        for test, trace in bad:
            reason = next((why for part, why in REASONS.items() if part in test.id()), None)
            (known if reason else unknown).append((test, reason or last_line(trace)))
        print(f"{module.split('.', 1)[1]:<44} {len(result.passed):3} passed {len(unknown):3} failed "
              f"{len(known):3} left out {len(result.skipped):3} skipped", flush=True)
        for word, tests in (("left out", known), ("FAILED", unknown), ("skipped", result.skipped)):
            for test, reason in tests:
                print(f"    {word}: {test.id().split('.')[-1]}: {reason}", flush=True)
        for key, tests in (("passed", result.passed), ("failed", unknown), ("known", known),
                           ("skipped", result.skipped)):
            total[key] += len(tests)
    print(f"total: {total['passed']} passed, {total['failed']} failed, {total['known']} left out "
          f"for a known reason, {total['skipped']} skipped")
    return 1 if total["failed"] else 0


sys.exit(main())
