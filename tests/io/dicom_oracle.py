#!/usr/bin/env python3
"""Compares the DICOM reader with pydicom (voxels, geometry by hand) and SimpleITK, and the
segmentation writer with highdicom. dicom_oracle.py TOOL ENCODER EXAMPLES [REAL_SERIES]

Prints one line a case; exit status 1 when a case differs.
"""
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk

import dicom_make as make

warnings.filterwarnings("ignore")
sitk.ProcessObject.GlobalWarningDisplayOff()
TOOL, ENCODER, EXAMPLES = sys.argv[1:4]
RNG = np.random.default_rng(20240607)
SHAPE = (6, 45, 54)  # an odd number of rows, so that padding shows
rows = []


def tool(*args):
    done = subprocess.run([TOOL, *map(str, args)], capture_output=True, text=True)
    answer = json.loads(done.stdout) if done.stdout else {"error": f"crash {done.returncode}"}
    return answer


def dump(path, uid="-", z=()):
    with tempfile.NamedTemporaryFile() as out:
        answer = tool("dump", path, uid, out.name, *z)
        if "error" in answer:
            return answer, None
        voxels = np.fromfile(out.name, answer["type"]).reshape(answer["size"][::-1])
    return answer, voxels


def record(name, checks, note=""):
    bad = [what for what, fine in checks if not fine]
    rows.append((name, not bad, note if not bad else "DIFFERS: " + ", ".join(bad) + " " + note))


def pydicom_volume(folder):
    """Voxels, first position and step of a single-frame series, sorted here."""
    slices = []
    for path in sorted(p for p in Path(folder).rglob("*") if p.is_file()):
        try:
            ds = pydicom.dcmread(path, force=True)
            array = ds.pixel_array.astype(np.float64)
        except Exception:
            continue
        if array.ndim == 3:
            array = np.array(array)
        normal = np.cross(ds.ImageOrientationPatient[:3], ds.ImageOrientationPatient[3:])
        position = np.array(ds.ImagePositionPatient, float)
        array = array * float(ds.get("RescaleSlope", 1)) + float(ds.get("RescaleIntercept", 0))
        slices.append((float(position @ normal), position, array, ds))
    slices.sort(key=lambda s: s[0])
    return np.stack([s[2] for s in slices]), [s[1] for s in slices], slices[0][3]


def same_series(name, folder, tolerance=0.0, itk=True, itk_voxels=True, note="", dtype=None):
    answer, voxels = dump(folder)
    if voxels is None:
        return record(name, [(str(answer), False)])
    expected, positions, ds = pydicom_volume(folder)
    direction = np.array(answer["direction"]).reshape(3, 3)
    last = (np.array(answer["origin"])
            + direction[:, 2] * answer["spacing"][2] * (len(positions) - 1))
    checks = [
        ("size", voxels.shape == expected.shape),
        ("voxels", np.abs(voxels - expected).max() <= tolerance),
        ("first position", np.allclose(answer["origin"], positions[0], atol=1e-6)),
        ("last position", np.allclose(last, positions[-1], atol=1e-5)),
        ("pixel spacing", np.allclose(answer["spacing"][:2], [float(v) for v in ds.PixelSpacing[::-1]])),
        ("orientation", np.allclose(direction[:, :2].T.ravel(),
                                    [float(v) for v in ds.ImageOrientationPatient], atol=1e-6)),
    ]
    if dtype:
        checks.append((f"type {answer['type']}", answer["type"] == dtype))
    if itk:
        reader = sitk.ImageSeriesReader()
        uid = reader.GetGDCMSeriesIDs(str(folder))[0]
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder), uid))
        image = reader.Execute()
        checks += [
            ("itk spacing", np.allclose(image.GetSpacing(), answer["spacing"], rtol=1e-5)),
            ("itk origin", np.allclose(image.GetOrigin(), answer["origin"], atol=1e-5)),
            ("itk direction", np.allclose(image.GetDirection(), answer["direction"], atol=1e-5)),
        ]
        if itk_voxels:
            array = sitk.GetArrayFromImage(image)
            checks.append(("itk voxels", np.abs(array - voxels.astype(np.float64)).max() <= tolerance))
    middle = len(positions) // 2
    _, slab = dump(folder, "-", (middle, middle + 1))
    checks.append(("slab", slab is not None and np.array_equal(slab[0], voxels[middle])))
    record(name, checks, note or f"{answer['type']} {'x'.join(map(str, answer['size']))}"
           + (" pydicom+itk" if itk else " pydicom"))


def fails(name, path, code, *words, uid="-"):
    answer, _ = dump(path, uid)
    message = answer.get("message", "")
    private = "Test^Oracle" in message
    record(name, [(f"must fail with {code}, got {answer}", answer.get("error") == code),
                  *[(f"'{w}' in '{message}'", w in message) for w in words],
                  ("no patient data", not private)], message.splitlines()[0][:110] if message else "")


def recode(folder, target, syntax, *quality):
    """Every file through DCMTK's encoder."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        out = target / path.relative_to(folder)
        out.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([ENCODER, path, out, syntax, *map(str, quality)], check=True)


def compress_with(syntax, **options):
    def apply(ds):
        ds.compress(syntax, **options)
    return apply


def geometry_cases(root):
    a = make.smooth(RNG, SHAPE, 0, 4095, np.uint16)
    make.series(root / "plain", a, stored=12)
    same_series("axial, anisotropic", root / "plain", dtype="uint16")
    make.series(root / "reversed", a, order="reversed", stored=12)
    same_series("instance numbers reversed", root / "reversed")
    make.series(root / "shuffled", a, order="shuffled", stored=12, subfolders=True)
    same_series("shuffled, no suffix, sub-folders", root / "shuffled", itk=False)
    make.series(root / "oblique", a, orientation=make.OBLIQUE, stored=12)
    same_series("oblique", root / "oblique")
    make.series(root / "sagittal", a, orientation=[0, 1, 0, 0, 0, -1], stored=12)
    same_series("sagittal", root / "sagittal")
    make.series(root / "coronal_down", a, orientation=[-1, 0, 0, 0, 0, -1], step=1.25, stored=12)
    same_series("coronal, flipped row axis", root / "coronal_down")
    make.series(root / "single", a[:1], stored=12)
    same_series("one slice", root / "single", itk=False)
    make.series(root / "tilt", a, shift=(0, 0.8, 0), stored=12)
    same_series("gantry tilt", root / "tilt", itk=False)
    make.series(root / "jitter", a, stored=12, edit=lambda ds, z: setattr(
        ds, "ImagePositionPatient", [-31.5, 17.25, round(40 + z * 2.5 + 0.05 * (z % 2), 2)]))
    answer, voxels = dump(root / "jitter")
    record("positions 2 % off", [("voxels", voxels is not None and np.array_equal(voxels, a))], "read")
    return a


def value_cases(root):
    for dtype in ("uint8", "int8", "uint16", "int16", "uint32", "int32"):
        info = np.iinfo(dtype)
        a = RNG.integers(info.min, info.max, SHAPE, dtype=dtype, endpoint=True)
        make.series(root / f"t_{dtype}", a)
        # GDCM has no 32-bit signed pixels in every build, so pydicom alone judges those.
        same_series(f"stored {dtype}", root / f"t_{dtype}", dtype=dtype,
                    itk="32" not in dtype, itk_voxels=True)
    a = RNG.integers(0, 4096, SHAPE).astype(np.uint16)
    make.series(root / "ct", a, stored=12, rescale=(1, -1024))
    same_series("rescale 1, -1024", root / "ct", dtype="int16")
    make.series(root / "ct16", RNG.integers(0, 65536, SHAPE).astype(np.uint16), rescale=(1, -1024))
    same_series("rescale 1, -1024 of 16 bits", root / "ct16", dtype="int32")
    make.series(root / "pet", a, stored=12, rescale=lambda z: (0.37 + 0.11 * z, 0.5))
    same_series("rescale per slice, fractions", root / "pet", tolerance=2e-4, dtype="float32",
                itk_voxels=False)
    s = RNG.integers(-2048, 2048, SHAPE).astype(np.int16)

    def overlay(ds, z):  # rubbish in the four bits above a signed 12-bit value
        words = np.frombuffer(ds.PixelData, "<u2") & 0x0FFF
        ds.PixelData = (words | (RNG.integers(0, 16, words.size).astype(np.uint16) << 12)).tobytes()
    make.series(root / "overlay", s, stored=12, edit=overlay)
    answer, voxels = dump(root / "overlay")
    record("12 bits signed, other bits set", [("voxels", np.array_equal(voxels, s))],
           "against the array made")

    def high(ds, z):
        ds.PixelData = (np.frombuffer(ds.PixelData, "<u2") << 4).tobytes()
        ds.HighBit = 15
    make.series(root / "high", a, stored=12, edit=high)
    _, voxels = dump(root / "high")
    record("12 bits at the top (HighBit 15)", [("voxels", np.array_equal(voxels, a))],
           "against the array made")
    make.series(root / "mono1", a, stored=12, photometric="MONOCHROME1")
    # ITK turns these over (4095 - value), as a viewer would; here values stay as measured.
    same_series("MONOCHROME1 keeps values", root / "mono1", itk_voxels=False)


def colour_cases(root):
    rgb = RNG.integers(0, 256, (*SHAPE, 3)).astype(np.uint8)
    r, g, b = (rgb[..., i].astype(np.uint32) for i in range(3))
    luma = (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16
    pillow = np.stack([np.asarray(__import__("PIL.Image").Image.fromarray(s).convert("L"))
                       for s in rgb])

    def check(name, folder, expected, tolerance=0):
        answer, voxels = dump(folder)
        record(name, [(str(answer), voxels is not None)] if voxels is None else
               [("voxels", np.abs(voxels.astype(int) - expected.astype(int)).max() <= tolerance)],
               f"luma, at most {tolerance} off")
    make.series(root / "rgb", rgb, photometric="RGB", samples=3)
    check("RGB", root / "rgb", pillow)

    def planar(ds, z):
        ds.PlanarConfiguration = 1
        ds.PixelData = rgb[z].transpose(2, 0, 1).tobytes()
    make.series(root / "planar", rgb, photometric="RGB", samples=3, edit=planar)
    check("RGB by plane", root / "planar", luma)
    make.series(root / "ybr", rgb, photometric="YBR_FULL", samples=3)
    check("YBR_FULL", root / "ybr", r)
    make.series(root / "rgb_j2k", rgb, photometric="RGB", samples=3,
                compress=compress_with(pydicom.uid.JPEG2000Lossless))
    check("RGB in JPEG 2000", root / "rgb_j2k", luma)
    make.series(root / "rgb_rle", rgb, photometric="RGB", samples=3,
                compress=compress_with(pydicom.uid.RLELossless))
    check("RGB in RLE", root / "rgb_rle", luma)
    soft = np.stack([make.smooth(RNG, SHAPE, 20, 230, np.uint8)] * 3, -1)
    soft[..., 1] = 200 - soft[..., 1] // 2
    make.series(root / "soft", soft, photometric="RGB", samples=3)
    recode(root / "soft", root / "soft_jpeg", pydicom.uid.JPEGBaseline8Bit, 95)
    r, g, b = (soft[..., i].astype(np.uint32) for i in range(3))
    check("RGB in JPEG (YBR 4:2:2)", root / "soft_jpeg",
          (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16, 8)

    def halved(ds, z):
        ds.PhotometricInterpretation = "YBR_FULL_422"
        y = rgb[z, :, :, 0]
        packed = np.zeros((SHAPE[1], SHAPE[2] // 2, 4), np.uint8)
        packed[..., 0], packed[..., 1], packed[..., 2:] = y[:, ::2], y[:, 1::2], 128
        ds.PixelData = packed.tobytes()
    make.series(root / "ybr422", rgb, photometric="YBR_FULL", samples=3, edit=halved)
    check("YBR_FULL_422, uncompressed", root / "ybr422", rgb[..., 0])
    make.series(root / "palette", rgb[..., 0], photometric="PALETTE COLOR")
    fails("palette colour", root / "palette", "unsupported", "PALETTE COLOR")


def syntax_cases(root):
    a = make.smooth(RNG, SHAPE, 0, 4095, np.uint16)
    s = make.smooth(RNG, SHAPE, -2000, 2000, np.int16)
    b = make.smooth(RNG, SHAPE, 0, 255, np.uint8)
    for name in ("implicit", "big", "deflated"):
        make.series(root / name, a, stored=12, syntax=name)
        same_series(f"syntax: {name}", root / name)
        make.series(root / f"{name}8", b, syntax=name)
        same_series(f"syntax: {name}, 8 bits", root / f"{name}8", itk=name != "big")
    uid = pydicom.uid
    for name, syntax, options in [("RLE", uid.RLELossless, {}),
                                  ("JPEG 2000 lossless", uid.JPEG2000Lossless, {}),
                                  ("JPEG-LS lossless", uid.JPEGLSLossless, {})]:
        short = name.replace(" ", "_")
        for kind, array, stored in (("uint16", a, 12), ("int16", s, 16), ("uint8", b, 8)):
            if kind == "int16" and "LS" in name:
                continue  # pydicom's encoder refuses it; DCMTK's makes it below
            folder = root / f"{short}_{kind}"
            make.series(folder, array, stored=stored, compress=compress_with(syntax, **options))
            same_series(f"{name}, {kind}", folder)
            _, voxels = dump(folder)
            record(f"{name}, {kind}, lossless", [("voxels", np.array_equal(voxels, array))],
                   "against the array made")
    make.series(root / "j2k_lossy", a, stored=12,
                compress=compress_with(uid.JPEG2000, j2k_cr=[8]))
    same_series("JPEG 2000 lossy", root / "j2k_lossy", tolerance=1)
    make.series(root / "jls_lossy", a, stored=12,
                compress=compress_with(uid.JPEGLSNearLossless, jls_error=3))
    same_series("JPEG-LS near-lossless", root / "jls_lossy")
    for kind, array, stored in (("uint16", a, 12), ("int16", s, 16), ("uint8", b, 8),
                                ("8 of 16", b.astype(np.uint16), 8)):
        source = root / f"src_{kind.replace(' ', '')}"
        make.series(source, array, stored=stored)
        for name, syntax in (("JPEG lossless", uid.JPEGLossless),
                             ("JPEG lossless SV1", uid.JPEGLosslessSV1),
                             ("JPEG-LS by DCMTK", uid.JPEGLSLossless),
                             ("RLE by DCMTK", uid.RLELossless)):
            target = root / f"{name.replace(' ', '_')}_{kind.replace(' ', '')}"
            try:
                recode(source, target, syntax)
            except subprocess.CalledProcessError:
                rows.append((f"{name}, {kind}", True, "skipped: the encoder refuses it"))
                continue
            _, voxels = dump(target)
            answer, _ = dump(target)
            record(f"{name}, {kind}", [(str(answer), voxels is not None and
                                        np.array_equal(voxels, array))], "against the array made")
    recode(root / "src_uint8", root / "jpeg8", uid.JPEGBaseline8Bit, 90)
    same_series("JPEG baseline, 8 bits", root / "jpeg8", tolerance=1)
    recode(root / "src_uint16", root / "jpeg12", uid.JPEGExtended12Bit, 90)
    same_series("JPEG extended, 12 bits", root / "jpeg12", tolerance=1)


def multiframe_cases(root):
    a = make.smooth(RNG, (5, 45, 54), 0, 4000, np.uint16)
    normal = np.cross(make.OBLIQUE[:3], make.OBLIQUE[3:])
    uid = pydicom.uid
    for name, compress in (("plain", None), ("RLE", compress_with(uid.RLELossless)),
                           ("JPEG 2000", compress_with(uid.JPEG2000Lossless)),
                           ("JPEG-LS", compress_with(uid.JPEGLSLossless))):
        path = root / f"enhanced_{name.replace(' ', '')}" / "a"
        make.enhanced(path, a, compress=compress)
        answer, voxels = dump(path.parent)
        if voxels is None:
            record(f"enhanced MR, {name}", [(str(answer), False)])
            continue
        _, slab = dump(path, "-", (3, 5))
        record(f"enhanced MR, {name}", [
            ("voxels", np.array_equal(voxels, a.astype(np.int32) * 2 - 100)),
            ("slab", np.array_equal(slab, voxels[3:5])),
            ("origin", np.allclose(answer["origin"], [10, -20, 30], atol=1e-6)),
            ("spacing", np.allclose(answer["spacing"], [0.8, 1.1, 3.0])),
            ("normal", np.allclose(np.array(answer["direction"]).reshape(3, 3)[:, 2], normal,
                                   atol=1e-6))],
            f"{answer['type']}, frames in random order")
    path = root / "enhanced_jpeg" / "a"
    recode(root / "enhanced_plain", path.parent, uid.JPEGLosslessSV1)
    _, voxels = dump(path)
    record("enhanced MR, JPEG lossless",
           [("voxels", voxels is not None and np.array_equal(voxels, a.astype(np.int32) * 2 - 100))])
    image = None
    try:
        make.enhanced(root / "enhanced_itk" / "a", a, shuffle=False)
        image = sitk.ReadImage(str(root / "enhanced_itk" / "a"))
    except RuntimeError:
        pass
    if image is not None:
        answer, voxels = dump(root / "enhanced_itk")
        record("enhanced MR against SimpleITK", [
            ("voxels", np.array_equal(sitk.GetArrayFromImage(image), voxels)),
            ("spacing", np.allclose(image.GetSpacing(), answer["spacing"])),
            ("origin", np.allclose(image.GetOrigin(), answer["origin"])),
            ("direction", np.allclose(image.GetDirection(), answer["direction"], atol=1e-6))])
    x = RNG.integers(0, 256, (7, 45, 51)).astype(np.uint8)  # odd frames: no padding between
    make.multiframe(root / "xa" / "a", x)
    answer, voxels = dump(root / "xa" / "a")
    record("XA run without positions", [
        ("voxels", voxels is not None and np.array_equal(voxels, x)),
        ("spacing", np.allclose(answer.get("spacing", 0), [0.3, 0.4, 1.0]))], "frames along z")
    make.multiframe(root / "xar" / "a", x, compress=compress_with(uid.RLELossless))
    _, voxels = dump(root / "xar" / "a")
    record("XA run, RLE", [("voxels", voxels is not None and np.array_equal(voxels, x))])
    d = RNG.integers(0, 2**31, (4, 6, 8)).astype(np.uint32)

    def dose(ds):
        ds.GridFrameOffsetVector = [0, 2.5, 5, 7.5]
        ds.ImagePositionPatient, ds.ImageOrientationPatient = [1, 2, 3], make.AXIAL
        ds.PixelSpacing, ds.DoseGridScaling = [2, 2], "1e-7"
    make.multiframe(root / "dose" / "a", d, make.DOSE, "RTDOSE", dose)
    answer, voxels = dump(root / "dose" / "a")
    record("RT dose", [("voxels", voxels is not None and np.allclose(voxels, d * 1e-7, rtol=1e-6)),
                       ("spacing", np.allclose(answer.get("spacing", 0), [2, 2, 2.5]))])


def broken_cases(root):
    a = make.smooth(RNG, (8, 45, 54), 0, 4095, np.uint16)
    make.series(root / "missing", a, edit=lambda ds, z: z != 4)
    fails("missing slice", root / "missing", "data_corrupt", "missing", "IM0004.dcm", "IM0006.dcm",
          "instance 4", "47.5 mm", "52.5 mm")
    uid = make.series(root / "doubled", a)
    make.series(root / "doubled" / "again", a, uid=uid, edit=lambda ds, z: z == 3)
    fails("doubled slice", root / "doubled", "data_corrupt", "doubled", "IM0004.dcm", "47.5 mm",
          "1 such pair")
    uid = make.series(root / "phases", a)
    make.series(root / "phases" / "again", a, uid=uid)
    fails("two phases in one series", root / "phases", "data_corrupt", "8 such pair", "phases")
    uid = make.series(root / "planes", a)
    make.series(root / "planes" / "b", a[:2], uid=uid, orientation=[0, 1, 0, 0, 0, -1])
    fails("mixed orientation", root / "planes", "data_corrupt", "one orientation", "IM0001.dcm")
    uid = make.series(root / "sizes", a)
    make.series(root / "sizes" / "b", a[:1, :8], uid=uid, origin=(0, 0, 80))
    fails("mixed size", root / "sizes", "data_corrupt", "one size", "54x45", "54x8")
    uid = make.series(root / "spacings", a)
    make.series(root / "spacings" / "b", a[:1], uid=uid, spacing=(1, 1), origin=(-31.5, 17.25, 60))
    fails("mixed pixel spacing", root / "spacings", "data_corrupt", "one pixel spacing")
    make.series(root / "uneven", a, edit=lambda ds, z: setattr(
        ds, "ImagePositionPatient", [0, 0, [0, 2, 4, 6, 8, 10, 13, 15][z]]))
    fails("uneven gap", root / "uneven", "data_corrupt", "evenly spaced", "3 mm")
    one = make.series(root / "two", a)
    two = make.series(root / "two" / "b", a[:3] + 1, step=5)
    fails("two series, no UID", root / "two", "invalid_argument", one, two, "3 images of 54x45")
    _, voxels = dump(root / "two", two)
    record("two series, one chosen", [("voxels", np.array_equal(voxels, a[:3] + 1))])
    fails("unknown UID", root / "two", "not_found", "1.2.3", one, uid="1.2.3")
    listed = tool("list", root / "two")["series"]
    record("two series listed", [
        ("uids", sorted(s["uid"] for s in listed) == sorted([one, two])),
        ("counts", sorted(s["files"] for s in listed) == [3, 8]),
        ("modality", all(s["modality"] == "CT" for s in listed))])
    make.series(root / "junk", a)
    (root / "junk" / "notes.txt").write_text("not an image")
    (root / "junk" / "empty").write_bytes(b"")
    (root / "junk" / "zeros").write_bytes(bytes(5000))
    same_series("with files that are not DICOM", root / "junk", itk=False)
    make.series(root / "cut", a)
    victim = root / "cut" / "IM0003.dcm"
    victim.write_bytes(victim.read_bytes()[:-100])
    fails("pixels cut short", root / "cut", "data_corrupt", "IM0003.dcm")
    make.series(root / "cut2", a)
    victim = root / "cut2" / "IM0003.dcm"
    victim.write_bytes(victim.read_bytes()[:500])
    fails("header cut short", root / "cut2", "data_corrupt", "IM0003.dcm")
    make.series(root / "cut3", a, compress=compress_with(pydicom.uid.JPEG2000Lossless))
    victim = root / "cut3" / "IM0003.dcm"
    victim.write_bytes(victim.read_bytes()[:-40])
    fails("compressed pixels cut short", root / "cut3", "data_corrupt", "IM0003.dcm")
    make.series(root / "nopos", a, edit=lambda ds, z: z != 2 or delattr(ds, "ImagePositionPatient"))
    fails("a slice without position", root / "nopos", "data_corrupt", "ImagePositionPatient",
          "IM0003.dcm")
    make.series(root / "slope0", a, rescale=(0, 1))
    fails("slope of 0", root / "slope0", "data_corrupt", "RescaleSlope")
    (root / "none").mkdir()
    fails("empty folder", root / "none", "not_found", "no DICOM images")
    fails("absent folder", root / "absent", "not_found", "exists")
    make.series(root / "bare", a[:1])
    path = next((root / "bare").iterdir())
    ds = pydicom.dcmread(path)
    ds.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    ds.save_as(path, enforce_file_format=True)
    raw = path.read_bytes()
    start = raw.find(bytes([8, 0, 0x16, 0, 26, 0, 0, 0]))
    path.write_bytes(raw[start:])
    answer, voxels = dump(root / "bare")
    record("no preamble, no meta group", [(str(answer), voxels is not None and
                                           np.array_equal(voxels[0], a[0]))])


def seg_case(name, root, source, frames_in_one=False):
    import highdicom
    answer, voxels = dump(source)
    labels = np.zeros(voxels.shape, np.uint16)
    labels[1:3, 3:9, 4:11] = 1
    labels[2:4, 10:13, 2:15] = 5
    raw, out = root / "labels.raw", root / "seg.dcm"
    labels.tofile(raw)
    done = tool("seg", source, "-", raw, out)
    if "error" in done:
        return record(name, [(str(done), False)])
    back = root / "back.raw"
    on_grid = tool("unseg", out, back, source)
    same = np.array_equal(np.fromfile(back, np.uint16).reshape(labels.shape), labels)
    alone = tool("unseg", out, back)
    small = np.fromfile(back, np.uint16).reshape(alone["size"][::-1])
    checks = [("round trip on the grid", same),
              ("round trip alone", np.array_equal(small, labels[1:4])),
              ("names", on_grid["labels"] == {"1": "tumour", "5": "Auge (größer)"}),
              ("own origin", np.allclose(alone["origin"], np.array(answer["origin"]) + np.array(
                  answer["direction"]).reshape(3, 3)[:, 2] * answer["spacing"][2], atol=1e-4))]
    ds = pydicom.dcmread(out)
    first = pydicom.dcmread(next(p for p in sorted(Path(source).rglob("*"))
                                 if p.is_file() and pydicom.misc.is_dicom(p)))
    checks += [(f"copied {k}", getattr(ds, k) == getattr(first, k)) for k in
               ("PatientID", "StudyInstanceUID", "FrameOfReferenceUID", "StudyDate")]
    seg = highdicom.seg.segread(str(out))
    referenced = {i.ReferencedSOPInstanceUID
                  for i in ds.ReferencedSeriesSequence[0].ReferencedInstanceSequence}
    sources = seg.get_source_image_uids()
    checks += [("highdicom segments", seg.number_of_segments == 2),
               ("highdicom labels", [seg.get_segment_description(i).segment_label for i in (1, 2)]
                == ["tumour", "Auge (größer)"]),
               ("referenced series", ds.ReferencedSeriesSequence[0].SeriesInstanceUID
                == first.SeriesInstanceUID),
               ("sources are referenced", {u[2] for u in sources} <= referenced)]
    volume = seg.get_volume(combine_segments=True)
    # highdicom orders its volume (slice, row, column), maybe from the other end.
    array = volume.array
    affine = np.asarray(volume.affine)
    expected = np.select([labels == 1, labels == 5], [1, 2])
    found = np.zeros_like(expected)
    direction = np.array(answer["direction"]).reshape(3, 3)
    ok = True
    for k in range(array.shape[0]):
        world = affine @ [k, 0, 0, 1]
        index = np.linalg.solve(direction * np.array(answer["spacing"]),
                                world[:3] - np.array(answer["origin"]))
        z = int(round(index[2]))
        ok = ok and np.allclose(index, [0, 0, z], atol=1e-3) and 0 <= z < labels.shape[0]
        if ok:
            found[z] = array[k]
    checks += [("highdicom geometry", ok), ("highdicom voxels", np.array_equal(found, expected))]
    if not frames_in_one:
        uids = [pydicom.dcmread(p).SOPInstanceUID for p in sorted(Path(source).rglob("*.dcm"))]
        matrix = seg.get_pixels_by_source_instance(uids, combine_segments=True)
        checks.append(("highdicom by instance", matrix.max() == 2))
    image = sitk.ReadImage(str(out))
    checks.append(("itk frames", image.GetSize()[2] == ds.NumberOfFrames))
    listed = dump(out)[1]
    checks.append(("opens as labels", np.array_equal(listed, labels[1:4])))
    record(name, checks, f"{ds.NumberOfFrames} frames, highdicom+pydicom+itk")


def seg_cases(root):
    a = make.smooth(RNG, SHAPE, 0, 4095, np.uint16)
    make.series(root / "axial", a, stored=12, order="reversed")
    seg_case("SEG of an axial series", root, root / "axial")
    make.series(root / "tilted", a, stored=12, orientation=make.OBLIQUE)
    seg_case("SEG of an oblique series", root, root / "tilted")
    make.enhanced(root / "multi" / "a", a)
    seg_case("SEG of an enhanced multi-frame", root, root / "multi", frames_in_one=True)
    if EXAMPLES != "-":
        seg_case("SEG of the bundled MR", root, Path(EXAMPLES) / "vs_mr_dicom")


def main():
    with tempfile.TemporaryDirectory() as scratch:
        for cases in (geometry_cases, value_cases, colour_cases, syntax_cases, multiframe_cases,
                      broken_cases, seg_cases):
            folder = Path(scratch) / cases.__name__
            folder.mkdir()
            cases(folder)
    if EXAMPLES != "-":
        same_series("bundled MR", Path(EXAMPLES) / "vs_mr_dicom", dtype="uint16")
    if len(sys.argv) > 4 and Path(sys.argv[4]).is_dir():
        same_series("real MR, 32 slices of 512x512", Path(sys.argv[4]), dtype="uint16")
    width = max(len(r[0]) for r in rows)
    for name, fine, note in rows:
        print(f"{'ok  ' if fine else 'FAIL'} {name:{width}} {note}")
    failed = sum(not r[1] for r in rows)
    print(f"{len(rows)} cases, {failed} differ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
