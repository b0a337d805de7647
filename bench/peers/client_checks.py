"""A table of checks: each step runs, is timed, and its failure does not end the others."""
import contextlib
import time


class Table:
    def __init__(self):
        self.rows = []

    @contextlib.contextmanager
    def step(self, name):
        """Times the block; an exception in it is the step's failure. Yields a list of remarks."""
        remarks = []
        began = time.perf_counter()
        try:
            yield remarks
            good = True
        except Exception as error:  # a client library may raise anything: each is a finding
            good = False
            remarks.append(f"{type(error).__name__}: {error}"[:300])
        self.rows.append((name, good, time.perf_counter() - began, "; ".join(remarks)))

    @property
    def failed(self):
        return sum(not good for _, good, _, _ in self.rows)

    def print(self):
        width = max(len(row[0]) for row in self.rows)
        for name, good, seconds, remark in self.rows:
            print(f"{'ok  ' if good else 'FAIL'}  {name:<{width}}  {seconds:8.3f} s  {remark}")
        print(f"{len(self.rows) - self.failed} of {len(self.rows)} steps hold")


def expect(condition, text):
    """An assertion that python -O keeps."""
    if not condition:
        raise AssertionError(text)


def raises(call, needle):
    """The call must fail with a message that holds `needle`."""
    try:
        call()
    except Exception as error:
        text = f"{getattr(error, 'msg', '')} {error}"
        expect(needle in text, f"the error says {text!r}, not {needle!r}")
        return text
    raise AssertionError(f"no error, where {needle!r} was due")
