#!/usr/bin/env python3
"""Fails when a layer includes or links what its DEPS (src/voxloom/<layer>/CMakeLists.txt) don't list.

Without arguments: reads the includes of every source. --linked BUILD: looks at what the program and
the two libraries of a finished build need (readelf -d, ldd): the light ones nothing of torch,
OpenVINO, BLAS or OpenMP, the ML library libtorch, and no folder to search that is not ours.
"""
import argparse
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "voxloom"
# Include prefixes that only the ML world may see, and where.
HEAVY = re.compile(r"#include\s*<(torch|ATen|c10|openvino|opencv2|itk)[/\w]*")
TORCH_FREE_ML = {"kernels"}
BANNED_LIGHT = re.compile(r"lib(torch|c10|openvino|blas|cblas|lapack|openblas|mkl|opencv|ITK|gomp|iomp5)")


def layers():
    table = {}
    for path in sorted(SOURCE.glob("*/CMakeLists.txt")):
        text = path.read_text()
        match = re.search(r"voxloom_layer\((\w+)(.*?)\)", text, re.S)
        if not match:
            continue
        words = match.group(2).split()
        deps, mode = [], None
        for word in words:
            if word in ("SOURCES", "HEADERS", "DEPS", "LIBS", "ML", "TORCH"):
                mode = word
            elif mode == "DEPS":
                deps.append(word)
        table[match.group(1)] = {"deps": set(deps), "ml": "ML" in words, "torch": "TORCH" in words}
    return table


def include_errors(table):
    errors = []
    for path in sorted(SOURCE.rglob("*")):
        if path.suffix not in (".h", ".cpp", ".cu", ".cuh"):
            continue
        layer = path.relative_to(SOURCE).parts[0]
        if layer not in table:
            errors.append(f"{path.relative_to(ROOT)}: layer '{layer}' has no CMakeLists.txt")
            continue
        allowed = table[layer]["deps"] | {layer}
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            place = f"{path.relative_to(ROOT)}:{number}"
            match = re.match(r'\s*#\s*include\s*"voxloom/(\w+)/', line)
            if match and match.group(1) not in allowed:
                errors.append(f"{place}: layer '{layer}' may not include '{match.group(1)}'")
            if re.match(r'\s*#\s*include\s*"(?!voxloom/)', line):
                errors.append(f"{place}: includes start with \"voxloom/<layer>/\"")
            if HEAVY.search(line) and (not table[layer]["ml"] or layer in TORCH_FREE_ML):
                errors.append(f"{place}: layer '{layer}' may not see {line.strip()}")
    return errors


def cycle_errors(table):
    errors = []
    for name, row in table.items():
        for dep in row["deps"]:
            if dep not in table:
                errors.append(f"layer '{name}': DEPS names the unknown layer '{dep}'")
            elif name in table[dep]["deps"]:
                errors.append(f"layers '{name}' and '{dep}' include each other")
            elif table[dep]["ml"] and not row["ml"]:
                errors.append(f"light layer '{name}' may not depend on ML layer '{dep}'")
    for path in (ROOT / "src").rglob("*.h"):
        if re.search(r'#include\s*"(apps|commands?)\b', path.read_text(errors="replace")):
            errors.append(f"{path.relative_to(ROOT)}: the library may not include the program")
    return errors


def dynamic(file):
    """What the file needs and its RUNPATH folders, as `readelf -d` says."""
    text = subprocess.run(["readelf", "-d", file], capture_output=True, text=True, check=True).stdout
    paths = re.findall(r"\((?:RUNPATH|RPATH)\).*\[(.*?)\]", text)
    folders = [folder for path in paths for folder in path.split(":")]
    return re.findall(r"\(NEEDED\).*\[(.*?)\]", text), folders


def resolved(file):
    """What `ldd` says: all that the file pulls in, and the lines of what is missing."""
    text = subprocess.run(["ldd", file], capture_output=True, text=True, check=True).stdout
    missing = [f"{file.name}: {line.strip()}" for line in re.findall(r".*not found.*", text)]
    return re.findall(r"^\s*(\S+) =>", text, re.M), missing


def runpath_errors(file, pulled, folders):
    """Every absolute folder holds something that is needed: libtorch's own build script adds
    /lib/intel64 and the like, from where anybody's library would be taken."""
    return [
        f"{file.name}: RUNPATH names '{folder}', which holds nothing that it needs"
        for folder in folders
        if not folder.startswith("$ORIGIN")
        and not (folder.startswith("/") and any((pathlib.Path(folder) / n).exists() for n in pulled))
    ]


def light_errors(file):
    """The light world and all that it pulls in: no torch, OpenVINO, BLAS, OpenMP."""
    needed, folders = dynamic(file)
    pulled, missing = resolved(file)
    errors = [f"{file.name} needs {name}" for name in needed if BANNED_LIGHT.match(name)]
    errors += [
        f"{file.name} pulls in {name}"
        for name in pulled
        if BANNED_LIGHT.match(name) or name.startswith("libvoxloom_ml")
    ]
    return errors + missing + runpath_errors(file, pulled, folders)


def ml_errors(file):
    """libtorch and the light library by name; a BLAS of its own would take libtorch's calls."""
    needed, folders = dynamic(file)
    pulled, missing = resolved(file)
    wanted = ("libvoxloom.so", "libtorch.so", "libtorch_cpu.so", "libc10.so")
    errors = [
        f"{file.name} must need {prefix}"
        for prefix in wanted
        if not any(name.startswith(prefix) for name in needed)
    ]
    blas = re.compile(r"lib(blas|cblas|lapack|openblas|mkl|gomp|iomp5|omp)\b")
    errors += [f"{file.name} needs {name}" for name in needed if blas.match(name)]
    # Debian's OpenCV pulls in libblas: what is needed first is searched first.
    torch = next((i for i, name in enumerate(needed) if name.startswith("libtorch_cpu.so")), -1)
    errors += [
        f"{file.name} must need libtorch_cpu.so before {name}"
        for i, name in enumerate(needed)
        if name.startswith("libopencv") and i < torch
    ]
    return errors + missing + runpath_errors(file, pulled, folders)


def linked_errors(build):
    build = pathlib.Path(build)
    errors = light_errors(build / "lib" / "libvoxloom.so")
    program = build / "bin" / "voxloom"
    if program.exists():
        errors += light_errors(program)
    if re.search(r"^VOXLOOM_ML:BOOL=ON$", (build / "CMakeCache.txt").read_text(), re.M):
        errors += ml_errors(build / "lib" / "libvoxloom_ml.so")
    return errors


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--linked", metavar="BUILD")
    args = parser.parse_args()
    if args.linked:
        errors = linked_errors(args.linked)
    else:
        table = layers()
        errors = cycle_errors(table) + include_errors(table)
    for error in errors:
        print("error:", error)
    if errors:
        return 1
    print("layers: ok" + (" (linked)" if args.linked else f" ({len(layers())} layers)"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
