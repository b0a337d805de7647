#!/usr/bin/env python3
"""Own checks that clang-tidy has no words for. Prints file:line: what and ends with 1 on a find."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SUFFIXES = {".h", ".cpp", ".cu", ".cuh"}
MAX_LINES = 600
# pattern, where it is banned (path prefix), what to do instead
BANNED = [
    (re.compile(r"\bstd::(cout|cerr)\b|\bprintf\("), "src/", "libraries don't print: use core/log.h"),
    (re.compile(r"\b(abort|exit|_exit)\("), "src/", "libraries don't end the process: throw Error"),
    (re.compile(r"#include <(fmt|spdlog)/"), "src/voxloom/", "only core/format.cpp and core/log.cpp"),
    (re.compile(r"#include <(format|expected|source_location)>"), "", "not in clang 14 or GCC 12"),
    (re.compile(r"\brand\(\)|\bsrand\("), "", "use core/random.h with a seed"),
    (re.compile(r"#pragma omp"), "", "use core/parallel.h"),
    (re.compile(r"using namespace"), "@headers", "not in headers"),
    (re.compile(r"core/log\.h"), "@headers", "not in headers"),
    (re.compile(r"\b(TODO|FIXME|XXX)\b"), "", "finish it, or take it out"),
]
EXEMPT = {"src/voxloom/core/format.cpp", "src/voxloom/core/log.cpp"}


def main():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    errors = []
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix not in SUFFIXES or not path.exists():
            continue
        text = path.read_text(errors="replace")
        if not text.isascii():
            line = next(i for i, l in enumerate(text.splitlines(), 1) if not l.isascii())
            errors.append(f"{name}:{line}: sources are ASCII")
        if path.suffix == ".h" and "#pragma once" not in text:
            errors.append(f"{name}:1: headers start with #pragma once")
        lines = text.splitlines()
        if len(lines) > MAX_LINES and not name.startswith("tests/"):
            errors.append(f"{name}: {len(lines)} lines; one idea a file, at most {MAX_LINES}")
        for number, line in enumerate(lines, 1):
            for pattern, where, instead in BANNED:
                if name in EXEMPT or not pattern.search(line):
                    continue
                if where == "@headers":
                    if path.suffix != ".h" or not name.startswith("src/"):
                        continue
                    if "core/log.h" in line and "#include" not in line:
                        continue
                elif not name.startswith(where):
                    continue
                errors.append(f"{name}:{number}: {instead}: {line.strip()[:60]}")
    for error in errors:
        print("error:", error)
    if not errors:
        print("lint: ok")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
