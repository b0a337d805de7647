"""Compares checkpoint readers and writers with Python's safetensors, pickle, numpy and torch.

Usage: weights_oracle_test.py WEIGHTS_PROBE GOLDEN_DIR [unittest arguments]. The tests with torch
itself are skipped where it is not installed; Python's own unpickler reads the same files then.
"""

import collections
import hashlib
import json
import math
import pathlib
import pickle
import re
import subprocess
import sys
import tempfile
import unittest
import zipfile

import numpy as np
import safetensors
import safetensors.numpy

try:
    import torch
except ImportError:
    torch = None

PROBE, GOLDEN = sys.argv.pop(1), pathlib.Path(sys.argv.pop(1))
NAMES = {"float32": "f32", "float64": "f64", "float16": "f16", "int64": "i64", "int32": "i32",
         "int16": "i16", "int8": "i8", "uint8": "u8", "bool": "bool"}
STORAGES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2",
            "LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2",
            "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "?"}


def probe(*arguments):
    result = subprocess.run([PROBE, *map(str, arguments)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def facts(array):
    a = np.ascontiguousarray(array)
    return {"dtype": NAMES[str(a.dtype)], "shape": list(array.shape),
            "sha256": hashlib.sha256(a.tobytes()).hexdigest()}


def samples():
    rng = np.random.default_rng(3)
    arrays = {f"layer.{n}": (rng.standard_normal((3, 1, 5)) * 50).astype(n) for n in NAMES}
    arrays["scalar"] = np.array(1.5, dtype=np.float32)
    arrays["empty"] = np.zeros((0, 4), dtype=np.float32)
    arrays["name \u00fc"] = np.arange(7, dtype=np.uint8)
    return arrays


def load_pt(path):
    """What torch.load does, by Python's unpickler and numpy: {key: {name: array}}."""
    archive = zipfile.ZipFile(path)
    assert archive.testzip() is None
    root = next(n for n in archive.namelist() if n.endswith("/data.pkl"))[:-8]
    assert archive.read(root + "byteorder") == b"little"

    def rebuild(storage, offset, size, stride, requires_grad, hooks):
        assert requires_grad is False and isinstance(hooks, collections.OrderedDict)
        step = storage.dtype.itemsize
        return np.lib.stride_tricks.as_strided(storage[offset:], size, [s * step for s in stride])

    class Unpickler(pickle.Unpickler):
        def find_class(self, module, name):
            if (module, name) == ("collections", "OrderedDict"):
                return collections.OrderedDict
            if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
                return rebuild
            assert module == "torch", (module, name)
            return STORAGES[name]

        def persistent_load(self, key):
            kind, dtype, name, location, count = key
            assert kind == "storage" and location == "cpu"
            data = np.frombuffer(archive.read(f"{root}data/{name}"), dtype=dtype)
            assert len(data) == count
            return data

    return Unpickler(archive.open(root + "data.pkl")).load()


def stand_in(key, shape):
    """The rule of the stand-in weights, written a second time."""
    h = 0xCBF29CE484222325
    for byte in key.encode():
        h = ((h ^ byte) * 0x100000001B3) % 2**64
    count = math.prod(shape)
    z = np.arange(count, dtype=np.uint64) + np.uint64((h + 0x9E3779B97F4A7C15) % 2**64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    u = (z >> np.uint64(40)).astype(np.float64) / 2**23 - 1
    if key.endswith("positional_encoding_gaussian_matrix"):
        value = 1.5 * u
    elif len(shape) == 1 and key.endswith("weight"):
        value = 1 + 0.1 * u
    elif key.endswith("gamma"):
        value = u
    elif len(shape) > 1 and key.endswith(".weight") and "embed" not in key and "token" not in key:
        value = u * math.sqrt(3 / (count / shape[0]))
    else:
        value = 0.3 * u
    if key.endswith("pred_obj_score_head.layers.2.bias"):
        value = np.full_like(u, 5.0)
    return value.astype(np.float32).reshape(shape)


class WeightsOracleTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.dir = pathlib.Path(self.folder.name)

    def same(self, found, expected):
        self.assertEqual(sorted(found), sorted(expected))
        for name, array in expected.items():
            self.assertEqual(found[name].dtype, array.dtype, name)
            self.assertEqual(found[name].shape, array.shape, name)
            self.assertTrue(np.array_equal(found[name], array), name)

    def test_reads_the_files_of_the_safetensors_package(self):
        arrays = samples()
        safetensors.numpy.save_file(arrays, self.dir / "a.safetensors", metadata={"k": "v"})
        found = json.loads(probe("hash", self.dir / "a.safetensors"))
        self.assertEqual(found, {k: facts(v) for k, v in sorted(arrays.items())})

    def test_the_safetensors_package_reads_ours(self):
        arrays = samples()
        safetensors.numpy.save_file(arrays, self.dir / "a.safetensors")
        probe("convert", self.dir / "a.safetensors", self.dir / "b.safetensors")
        self.same(safetensors.numpy.load_file(self.dir / "b.safetensors"), arrays)
        with safetensors.safe_open(self.dir / "b.safetensors", "numpy") as file:
            self.assertEqual(file.metadata(), {"by": "probe"})

    def test_pythons_unpickler_reads_our_pt(self):
        arrays = samples()
        safetensors.numpy.save_file(arrays, self.dir / "a.safetensors")
        probe("convert", self.dir / "a.safetensors", self.dir / "b.pt")
        loaded = load_pt(self.dir / "b.pt")
        self.assertEqual(list(loaded), ["model"])
        self.same(loaded["model"], arrays)

    def test_numpy_and_we_read_each_others_npz(self):
        arrays = samples()
        arrays["fortran"] = np.asfortranarray(np.arange(24.0).reshape(2, 3, 4))
        arrays["big_endian"] = np.arange(5, dtype=">i4")
        arrays["complex"] = np.array([1 + 2j, 3], dtype=np.complex64)
        arrays["text"] = np.array(["ab", "\u00fc"])
        for save in (np.savez, np.savez_compressed):
            save(self.dir / "a.npz", **arrays)
            probe("npz", self.dir / "a.npz", self.dir / "b.npz")
            with np.load(self.dir / "b.npz", allow_pickle=False) as file:
                expected = dict(arrays, big_endian=arrays["big_endian"].astype("<i4"))
                self.same(dict(file), expected)

    def test_a_full_size_checkpoint_follows_the_rule(self):
        keys = GOLDEN / "medsam2" / "keys" / "medsam2.txt"
        probe("generate", keys, self.dir / "full.pt")
        state = load_pt(self.dir / "full.pt")["model"]
        lines = keys.read_text().split("\n")[:-1]
        self.assertEqual(len(state), 471)
        for line in lines:
            name, shape = line.split(" ", 1)
            shape = tuple(int(x) for x in re.findall(r"\d+", shape))
            self.assertTrue(np.array_equal(state[name], stand_in(name, shape)), name)

    @unittest.skipIf(torch is None, "torch is not installed")
    def test_torch_reads_our_pt_with_weights_only(self):
        arrays = samples()
        safetensors.numpy.save_file(arrays, self.dir / "a.safetensors")
        probe("convert", self.dir / "a.safetensors", self.dir / "b.pt")
        loaded = torch.load(self.dir / "b.pt", weights_only=True)
        self.assertIsInstance(loaded["model"], collections.OrderedDict)
        self.same({k: v.numpy() for k, v in loaded["model"].items()}, arrays)
        mapped = torch.load(self.dir / "b.pt", weights_only=True, mmap=True)
        self.same({k: v.numpy() for k, v in mapped["model"].items()}, arrays)


if __name__ == "__main__":
    unittest.main()
