#!/usr/bin/env python3
"""Training steps of the light U-Net beside eager PyTorch: crops a second, two threads each.

    python3 -m venv peer && peer/bin/pip install torch numpy
    voxloom wire simulate -o sim --sequences 12 --frames 10
    peer/bin/python bench/peers/train_step_peer.py --voxloom build/release/bin/voxloom --data sim/manifest.jsonl

The same network (1.03 M parameters), batch, losses (BCE + Dice, two deep supervision heads) and AdamW with clipped
gradients. Ours runs as `voxloom wire train` does, with its loader (decoding, cropping), averaged weights and checks;
the peers get one batch that lies in memory. Peers: eager PyTorch as it comes (float32), with bfloat16 autocast, and
with autocast and channels last, the best that a user can set. Runs alternate, so that a drifting machine hurts all
alike; medians and ratios are printed as JSON.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

WIDTHS, ENCODER, DECODER = (16, 32, 48, 64, 96, 128), (0, 0, 1, 1, 2, 2), (0, 0, 0, 1, 1)


class Unit(nn.Module):
    def __init__(self, inside, outside, kernel=3, stride=1, residual=False):
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, kernel, stride, kernel // 2, bias=False)
        self.norm, self.residual = nn.BatchNorm2d(outside), residual

    def forward(self, x):
        y = self.norm(self.conv(x))
        return F.relu(y + x if self.residual else y)


def chain(inside, width, stride, blocks):
    return nn.Sequential(Unit(inside, width, stride=stride),
                         *[Unit(width, width, residual=True) for _ in range(blocks)])


class LightUnet(nn.Module):
    def __init__(self):
        super().__init__()
        ins = (1,) + WIDTHS[:-1]
        self.encoder = nn.ModuleList(
            chain(i, w, 1 if n == 0 else 2, ENCODER[n]) for n, (i, w) in enumerate(zip(ins, WIDTHS)))
        self.lateral = nn.ModuleList(Unit(WIDTHS[n + 1], WIDTHS[n], kernel=1) for n in range(5))
        self.decoder = nn.ModuleList(chain(WIDTHS[n], WIDTHS[n], 1, DECODER[n]) for n in range(5))
        self.head = nn.Conv2d(WIDTHS[0], 1, 1)
        self.heads = nn.ModuleList(nn.Conv2d(WIDTHS[n], 1, 1) for n in (1, 2))

    def forward(self, x):
        maps = []
        for level in self.encoder:
            x = level(x)
            maps.append(x)
        for n in reversed(range(5)):
            coarse = F.interpolate(self.lateral[n](maps[n + 1]), scale_factor=2, mode="nearest")
            maps[n] = self.decoder[n](maps[n] + coarse)
        return [self.head(maps[0])] + [head(maps[n + 1]) for n, head in enumerate(self.heads)]


def dice_loss(logits, target):
    p = torch.sigmoid(logits.float())
    both = (p * target).sum((1, 2, 3))
    return (1 - (2 * both + 1) / (p.sum((1, 2, 3)) + target.sum((1, 2, 3)) + 1)).mean()


def losses(outputs, target):
    total = 0.0
    for n, logits in enumerate(outputs):
        y = F.max_pool2d(target, 2 ** n) if n else target
        total = total + F.binary_cross_entropy_with_logits(logits.float(), y) + dice_loss(logits, y)
    return total


def eager(args, autocast, channels_last):
    torch.manual_seed(0)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    net = LightUnet().to(memory_format=layout)
    image = torch.randn(args.batch, 1, args.crop, args.crop).contiguous(memory_format=layout)
    target = (torch.rand(args.batch, 1, args.crop, args.crop) < 0.01).float()
    optimiser = torch.optim.AdamW(net.parameters(), 1e-3)
    start = 0.0
    for step in range(3 + args.steps):
        if step == 3:
            start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            outputs = net(image)
        loss = losses(outputs, target)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        loss.item()  # as our loop does, to stop at a bad loss
    return args.batch * args.steps / (time.perf_counter() - start)


def ours(args, amp):
    with tempfile.TemporaryDirectory() as folder:
        out = subprocess.run(
            [args.voxloom, "wire", "train", "--data", args.data, "--data", args.val, "-o", f"{folder}/run",
             "--batch", str(args.batch), "--crop", str(args.crop), "--amp", amp, "--max-steps", str(3 + args.steps),
             "--ema-decay", "0.99", "--clip-norm", "5", "--threads", str(args.threads), "--validate-images", "1",
             "--validate-every", "0", "--quiet", "--json"], check=True, capture_output=True, text=True)
    result = json.loads(out.stdout)
    return result["items_per_s"], result["loader_wait_share"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voxloom", required=True, help="the program")
    parser.add_argument("--data", required=True, help="manifest with training samples")
    parser.add_argument("--val", required=True, help="manifest with a validation sample")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rates = {}
    waits = []
    for _ in range(args.rounds):
        for name, amp in (("voxloom bf16", "bf16"), ("voxloom f32", "off")):
            rate, wait = ours(args, amp)
            rates.setdefault(name, []).append(rate)
            waits.append(wait)
        for name, autocast, last in (("eager f32", False, False), ("eager bf16", True, False),
                                     ("eager bf16, channels last", True, True)):
            rates.setdefault(name, []).append(eager(args, autocast, last))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    print(json.dumps({
        "crops_per_s": {name: {"median": medians[name], "all": values} for name, values in rates.items()},
        "ratio_of_voxloom_bf16_to": {n: medians["voxloom bf16"] / v for n, v in medians.items() if n != "voxloom bf16"},
        "ratio_of_voxloom_f32_to_eager_f32": medians["voxloom f32"] / medians["eager f32"],
        "loader_wait_share": {"median": statistics.median(waits), "highest": max(waits)},
        "torch": torch.__version__, "threads": args.threads, "cpus": os.cpu_count()}, indent=2))


if __name__ == "__main__":
    main()
