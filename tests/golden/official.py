"""Builds networks of the official code (a checkout of bowang-lab/MedSAM2) with stand-in weights.

Needs Python with torch, numpy and pyyaml. Hydra and other packages that inference does not call
are replaced by empty modules; nothing of the checkout is changed or copied.
"""
import importlib
import re
import sys
import types

import numpy as np
import torch
import yaml

MASK64 = (1 << 64) - 1
VARIANTS = {  # fields that differ from sam2.1_hiera_t512.yaml, or from the own file
    "medsam2_t512": {},
    "sam2.1_t": {"image_size": 1024},
    "sam2.1_s": {"image_size": 1024, "stages": [1, 2, 11, 2], "global_att_blocks": [7, 10, 13]},
    "sam2.1_b+": {
        "image_size": 1024,
        "embed_dim": 112,
        "num_heads": 2,
        "stages": [2, 3, 16, 3],
        "global_att_blocks": [12, 16, 20],
        "window_pos_embed_bkg_spatial_size": [14, 14],
        "backbone_channel_list": [896, 448, 224, 112],
    },
    "sam2.1_l": {
        "image_size": 1024,
        "embed_dim": 144,
        "num_heads": 2,
        "stages": [2, 6, 36, 4],
        "global_att_blocks": [23, 33, 43],
        "window_spec": [8, 4, 16, 8],
        "backbone_channel_list": [1152, 576, 288, 144],
    },
    "efficienttam_s_512": {},
    "efficienttam_ti_512": {},
}


def stub_modules():
    def module(name, **members):
        made = types.ModuleType(name)
        made.__dict__.update(members)
        sys.modules[name] = made

    class Initialised:
        instance = staticmethod(lambda: Initialised)
        is_initialized = staticmethod(lambda: True)

    def nothing(*args, **kwargs):
        return None

    module("hydra", initialize_config_module=nothing, compose=nothing)
    module("hydra.core")
    module("hydra.core.global_hydra", GlobalHydra=Initialised)
    module("hydra.utils", instantiate=nothing)
    module("omegaconf", OmegaConf=object)
    module("iopath")
    module("iopath.common")
    module("iopath.common.file_io", g_pathmgr=None)
    module("tqdm", tqdm=lambda iterable, *args, **kwargs: iterable)


def config(repo, name):
    """The `model` tree of a variant's configuration, as its video predictor."""
    loader = yaml.SafeLoader
    # YAML 1.1 reads "1e-6" as text.
    loader.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
    )
    if name.startswith("efficienttam"):
        path = repo / f"efficient_track_anything/configs/{name}x512.yaml"
        target = "efficient_track_anything.efficienttam_video_predictor_npz.EfficientTAMVideoPredictorNPZ"
    else:
        path = repo / "sam2/configs/sam2.1_hiera_t512.yaml"
        target = "sam2.sam2_video_predictor_npz.SAM2VideoPredictorNPZ"
    tree = yaml.load(path.read_text(), loader)["model"]
    tree["_target_"] = target
    tree["compile_image_encoder"] = False
    tree["sam_mask_decoder_extra_args"] = {
        "dynamic_multimask_via_stability": True,
        "dynamic_multimask_stability_delta": 0.05,
        "dynamic_multimask_stability_thresh": 0.98,
    }
    tree["binarize_mask_from_pts_for_mem_enc"] = True
    tree["fill_hole_area"] = 0
    for key, value in VARIANTS[name].items():
        encoder = tree["image_encoder"]
        owner = {"image_size": tree, "backbone_channel_list": encoder["neck"]}.get(key, encoder["trunk"])
        owner[key] = value
    size = tree["image_size"] // 16
    for attention in ("self_attention", "cross_attention"):
        tree["memory_attention"]["layer"][attention]["feat_sizes"] = [size, size]
    return tree


def instantiate(node):
    if isinstance(node, list):
        return [instantiate(item) for item in node]
    if not isinstance(node, dict):
        return node
    values = {k: instantiate(v) for k, v in node.items() if not k.startswith("_")}
    if "_target_" not in node:
        return values
    path, name = node["_target_"].rsplit(".", 1)
    return getattr(importlib.import_module(path), name)(**values)


def uniform(key, shape):
    """u in [-1, 1) in float64 from the key's name alone (FNV-1a, then splitmix64)."""
    seed = 0xCBF29CE484222325
    for byte in key.encode():
        seed = ((seed ^ byte) * 0x100000001B3) & MASK64
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(int(np.prod(shape)), dtype=np.uint64)
        z += np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return ((z >> np.uint64(40)).astype(np.float64) / (1 << 23) - 1).reshape(shape)


def generated(key, shape):
    """An input array: u in float32."""
    return torch.from_numpy(uniform(key, shape).astype(np.float32))


def stand_in(key, shape):
    u = uniform(key, shape)
    if key == "sam_mask_decoder.pred_obj_score_head.layers.2.bias":
        u[:] = 5
    elif key.endswith("positional_encoding_gaussian_matrix"):
        u *= 1.5
    elif len(shape) == 1 and key.endswith("weight"):
        u = 1 + 0.1 * u
    elif key.endswith("gamma"):
        pass
    elif len(shape) >= 2 and key.endswith(".weight") and "embed" not in key and "token" not in key:
        u *= np.sqrt(3 / (u.size / shape[0]))
    else:
        u *= 0.3
    return torch.from_numpy(u.astype(np.float32))


def build(repo, tree):
    """The network of `tree` with stand-in weights, ready for inference."""
    if str(repo) not in sys.path:
        sys.path.insert(0, str(repo))
        stub_modules()
    model = instantiate(tree).eval()
    state = {key: stand_in(key, tuple(value.shape)) for key, value in model.state_dict().items()}
    model.load_state_dict(state)
    return model
