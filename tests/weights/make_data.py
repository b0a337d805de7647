"""Writes the small checkpoint files of tests/weights/data with Python's own torch.

Run with torch 2.13 and safetensors installed:  python make_data.py [folder]
The files are committed; the tests need no Python. `expected.json` lists, for each file, the
tensors that the C++ reader must find: type, shape and the SHA-256 of their row-major bytes.
"""
import argparse
import collections
import hashlib
import json
import os
import pathlib
import pickle
import sys
import zipfile

import numpy as np
import torch

OUT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "data")
OUT.mkdir(exist_ok=True)
torch.manual_seed(7)
EXPECTED = {}
NAMES = {
    torch.float32: "f32", torch.float64: "f64", torch.float16: "f16", torch.bfloat16: "bf16",
    torch.int64: "i64", torch.int32: "i32", torch.int16: "i16", torch.int8: "i8",
    torch.uint8: "u8", torch.bool: "bool",
}


def facts(tensor):
    t = tensor.detach().contiguous()
    raw = t.reshape(-1).view(torch.uint8) if t.numel() else torch.empty(0, dtype=torch.uint8)
    return {"dtype": NAMES[t.dtype], "shape": list(t.shape),
            "sha256": hashlib.sha256(raw.numpy().tobytes()).hexdigest()}


def expect(name, fmt, selected, tensors, **more):
    EXPECTED[name] = {"format": fmt, "selected": selected,
                      "tensors": {k: facts(v) for k, v in tensors.items()}, **more}


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 2, 3)
        self.norm = torch.nn.BatchNorm2d(2)
        self.head = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(),
                                        torch.nn.Linear(3, 2))
        self.register_buffer("scratch", torch.zeros(3), persistent=False)

    def forward(self, x):
        return self.head(self.norm(self.conv(x))) * torch.tensor([2.0, 3.0])


net = Net()
state = net.state_dict()

torch.save(state, OUT / "state_dict.pt")
expect("state_dict.pt", "torch zip", "", state)

torch.save(state, OUT / "protocol4.pt", pickle_protocol=4)
expect("protocol4.pt", "torch zip", "", state)
torch.save(state, OUT / "protocol5.pt", pickle_protocol=5)
expect("protocol5.pt", "torch zip", "", state)

torch.save(state, OUT / "legacy.pth", _use_new_zipfile_serialization=False)
expect("legacy.pth", "torch legacy", "", state)
torch.save({"model": state, "epoch": 3}, OUT / "legacy4.pth",
           _use_new_zipfile_serialization=False, pickle_protocol=4)
expect("legacy4.pth", "torch legacy", "model", state, metadata={"epoch": 3})

optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
net(torch.randn(1, 1, 6, 6)).sum().backward()
optimizer.step()
state = {k: v.clone() for k, v in net.state_dict().items()}
full = {"epoch": 12, "loss": 0.25, "note": "trained f\u00fcr a test", "best": None, "ok": True,
        "model": net.state_dict(), "optimizer": optimizer.state_dict(), "scheduler": {"k": [1, 2]}}
torch.save(full, OUT / "training.pt")
expect("training.pt", "torch zip", "model", state,
       metadata={"epoch": 12, "loss": 0.25, "note": "trained f\u00fcr a test", "best": None,
                 "ok": True})

torch.save({"state_dict": net.state_dict(), "args": argparse.Namespace(lr=0.1, name="x")},
           OUT / "namespace.pt")
expect("namespace.pt", "torch zip", "state_dict", state, opaque=["argparse.Namespace"])

one = {"weight": torch.arange(5, dtype=torch.float32)}
torch.save(one, OUT / "one_entry.pt")
expect("one_entry.pt", "torch zip", "", one)

torch.save({"only": one, "step": 1}, OUT / "one_inner.pt")
expect("one_inner.pt", "torch zip", "only", one)

torch.save({"generator": one, "critic": one}, OUT / "two_models.pt")
EXPECTED["two_models.pt"] = {"error": "invalid_argument", "message": "'generator', 'critic'"}

parameters = {"p": torch.nn.Parameter(torch.randn(2, 3)), "q": torch.nn.Parameter(torch.ones(4))}
torch.save(parameters, OUT / "parameters.pt")
expect("parameters.pt", "torch zip", "", parameters)

base = torch.randn(3, 4)
types = {str(d).split(".")[1]: (base * 3).to(d) for d in NAMES}
types["scalar"] = torch.tensor(2.5)
types["empty"] = torch.empty(0, 4)
torch.save(types, OUT / "types.pt")
expect("types.pt", "torch zip", "", types)
torch.save(types, OUT / "types_legacy.pth", _use_new_zipfile_serialization=False)
expect("types_legacy.pth", "torch legacy", "", types)

big = torch.arange(60, dtype=torch.float32).reshape(3, 4, 5)
views = {"whole": big, "transposed": big.permute(2, 0, 1), "row": big[1], "column": big[:, 2],
         "step": big[:, ::2, 1::2], "expanded": torch.tensor([1.0, 2.0]).expand(3, 2),
         "half_t": torch.arange(6).half().reshape(2, 3).t(),
         "u8_t": torch.arange(6).to(torch.uint8).reshape(2, 3).t(),
         "f64_t": torch.arange(6).double().reshape(2, 3).t(), "again": big}
torch.save(views, OUT / "views.pt")
expect("views.pt", "torch zip", "", views)

mixed = collections.defaultdict(dict)
mixed["w"] = one["weight"]
mixed["names"] = {"a", "b"}
mixed["frozen"] = frozenset([1, 2])
mixed["scalar"] = np.float64(0.5)
mixed["dtype"] = torch.bfloat16
mixed["device"] = torch.device("cpu")
mixed["size"] = torch.Size([1, 2])
mixed["list"] = [torch.ones(2), {"deep": torch.zeros(1)}]
mixed["big"] = 1 << 80
mixed["negative"] = -5
for protocol in (2, 4):
    torch.save(mixed, OUT / f"mixed{protocol}.pt", pickle_protocol=protocol)
    expect(f"mixed{protocol}.pt", "torch zip", "",
           {"w": mixed["w"], "list.0": torch.ones(2), "list.1.deep": torch.zeros(1)},
           metadata={"negative": -5})

torch.save(net, OUT / "module.pt")
expect("module.pt", "torch zip", "", state)

script = torch.jit.trace(net.eval(), torch.randn(1, 1, 6, 6))
torch.jit.save(script, OUT / "script.pt")
expect("script.pt", "torchscript archive", "", {**state, "scratch": torch.zeros(3)},
       constants={"c0": facts(torch.tensor([2.0, 3.0]))}, unordered=True)

float8 = {"w": torch.ones(4), "q.weight": torch.ones(4).to(torch.float8_e4m3fn)}
torch.save(float8, OUT / "float8.pt")
EXPECTED["float8.pt"] = {"error": "unsupported", "message": "tensor 'q.weight'"}
torch.save({"c": torch.ones(2, dtype=torch.complex64)}, OUT / "complex.pt")
EXPECTED["complex.pt"] = {"error": "unsupported", "message": "tensor 'c'"}
torch.save({"s": torch.eye(3).to_sparse()}, OUT / "sparse.pt")
EXPECTED["sparse.pt"] = {"error": "unsupported", "message": "tensor 's'"}
torch.save({"epoch": 1}, OUT / "no_tensors.pt")
EXPECTED["no_tensors.pt"] = {"error": "data_corrupt", "message": "holds no tensors"}


class Evil:
    """Unpickled by Python, this runs a command. The C++ reader must only see its name."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return (os.system, (self.command,))


MARKER = "touch voxloom_pickle_was_executed"
torch.save({"model": one, "hook": Evil(MARKER)}, OUT / "evil.pt")
expect("evil.pt", "torch zip", "model", one, opaque=["posix.system"])
torch.save({"model": one, "hook": Evil(MARKER)}, OUT / "evil_legacy.pth",
           _use_new_zipfile_serialization=False)
expect("evil_legacy.pth", "torch legacy", "model", one, opaque=["posix.system"])


def rewrite(source, target, change):
    """The archive `source` with some entries replaced, or removed where change gives None."""
    with zipfile.ZipFile(OUT / source) as zin, zipfile.ZipFile(OUT / target, "w") as zout:
        for name in zin.namelist():
            data = change(name, zin.read(name))
            if data is not None:
                zout.writestr(name, data)


rewrite("one_entry.pt", "big_endian.pt",
        lambda n, d: b"big" if n.endswith("byteorder") else d)
EXPECTED["big_endian.pt"] = {"error": "unsupported", "message": "must be little-endian"}
rewrite("one_entry.pt", "short_storage.pt", lambda n, d: d[:-4] if n.endswith("data/0") else d)
EXPECTED["short_storage.pt"] = {"error": "data_corrupt", "message": "storage '0' must hold 5"}
rewrite("one_entry.pt", "missing_storage.pt", lambda n, d: None if n.endswith("data/0") else d)
EXPECTED["missing_storage.pt"] = {"error": "data_corrupt", "message": "data/0"}
# Size 5 becomes 6: BININT1 5 followed by TUPLE1.
rewrite("one_entry.pt", "long_view.pt",
        lambda n, d: d.replace(b"K\x05\x85", b"K\x06\x85") if n.endswith("data.pkl") else d)
EXPECTED["long_view.pt"] = {"error": "data_corrupt", "message": "tensor 'weight'"}

with open(OUT / "plain.pkl", "wb") as f:
    pickle.dump({"a": 1}, f, protocol=2)
EXPECTED["plain.pkl"] = {"error": "unsupported", "message": "must be a file of torch.save"}

from safetensors.torch import save_file  # noqa: E402

ordered = {k: v.contiguous() for k, v in types.items()}
save_file(ordered, OUT / "types.safetensors", metadata={"format": "pt", "note": "\u00fc"})
expect("types.safetensors", "safetensors", "", ordered,
       metadata={"format": "pt", "note": "\u00fc"}, unordered=True)
save_file({"q": torch.ones(4).to(torch.float8_e5m2)}, OUT / "float8.safetensors")
EXPECTED["float8.safetensors"] = {"error": "unsupported", "message": "tensor 'q'"}
np.savez(OUT / "arrays.npz", a=np.arange(6, dtype=np.float32).reshape(2, 3),
         b=np.asfortranarray(np.arange(6, dtype=np.int64).reshape(2, 3)))
expect("arrays.npz", "npz", "", {"a": torch.arange(6).float().reshape(2, 3),
                                 "b": torch.arange(6).reshape(2, 3)})

with open(OUT / "expected.json", "w") as f:
    json.dump(EXPECTED, f, indent=1)
    f.write("\n")
for path in sorted(OUT.iterdir()):
    size = path.stat().st_size
    assert path.suffix == ".json" or size < 20_000, (path, size)
