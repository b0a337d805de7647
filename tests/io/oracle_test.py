"""Compares the readers and writers with SimpleITK, nibabel, pynrrd, numpy, Pillow and tifffile.

Usage: oracle_test.py IO_PROBE [unittest arguments]. VOXLOOM_SAMPLE_DATA may name a folder with real
volumes (*.nii.gz, *.nrrd, *.mha); tests of them are skipped without it.
"""

import gzip
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

import nibabel
import nrrd
import numpy as np
import SimpleITK as sitk
import tifffile
from PIL import Image

PROBE = sys.argv.pop(1)
SITK_TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"]
LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0])


def rotation(a, b, c):
    ca, sa, cb, sb, cc, sc = np.cos(a), np.sin(a), np.cos(b), np.sin(b), np.cos(c), np.sin(c)
    z = np.array([[ca, -sa, 0], [sa, ca, 0], [0, 0, 1]])
    y = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    x = np.array([[1, 0, 0], [0, cc, -sc], [0, sc, cc]])
    return z @ y @ x


GEOMETRIES = {
    "identity": (np.eye(3), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)),
    "anisotropic": (np.eye(3), (0.7, 0.75, 2.5), (-120.5, 33.25, 7.0)),
    "ras": (np.diag([-1.0, -1.0, 1.0]), (0.9, 0.8, 3.0), (100.0, 90.0, -50.0)),
    "half turn": (np.diag([-1.0, 1.0, -1.0]), (0.9, 0.8, 3.0), (1.0, 2.0, 3.0)),
    "oblique": (rotation(0.3, -0.4, 0.5), (0.5, 0.6, 4.0), (12.0, -80.0, 300.0)),
    "left-handed": (np.diag([1.0, 1.0, -1.0]), (0.5, 0.6, 1.5), (1.0, -2.0, 3.0)),
    "oblique left-handed": (rotation(-0.9, 0.2, 2.5) @ np.diag([1, 1, -1.0]), (1.1, 0.4, 2.0), (-10.0, 20.0, 5.0)),
    "permuted": (np.array([[0, 0, 1.0], [1, 0, 0], [0, -1.0, 0]]), (0.5, 0.6, 4.0), (9.0, 8.0, 7.0)),
}


def voxels(dtype, shape=(4, 5, 7)):
    """[D, H, W]; the extremes of the type are in it."""
    rng = np.random.default_rng(7)
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        out = rng.normal(0, 1000, shape).astype(dtype)
        out.flat[0] = np.nan
        out.flat[1] = np.finfo(dtype).max
        return out
    limits = np.iinfo(dtype)
    out = rng.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)
    out.flat[0], out.flat[1] = limits.min, limits.max
    return out


def sitk_image(array, geometry):
    direction, spacing, origin = geometry
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection(np.asarray(direction, float).ravel().tolist())
    return image


def affine_of(geometry):
    """Voxel to world LPS, 4 x 4."""
    direction, spacing, origin = geometry
    out = np.eye(4)
    out[:3, :3] = np.asarray(direction) @ np.diag(spacing)
    out[:3, 3] = origin
    return out


def affine_of_sitk(image):
    return affine_of((np.array(image.GetDirection()).reshape(3, 3), image.GetSpacing(), image.GetOrigin()))


def affine_of_header(header):
    return affine_of((np.array(header["direction"]).reshape(3, 3), header["spacing_mm"], header["origin_mm"]))


class OracleTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def path(self, name):
        return str(self.folder / name)

    def probe(self, *args, fails=False):
        done = subprocess.run([PROBE, *map(str, args)], capture_output=True, text=True, check=False)
        if fails:
            self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
            return done.stderr
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def dump(self, file, verb="dump", *args):
        """(header, [D, H, W] voxels) as our reader sees them."""
        raw = self.path("dump.raw")
        header = self.probe(verb, file, raw, *args)
        return header, np.fromfile(raw, header["type"]).reshape(header["size"][::-1])

    def check_world(self, got, want, size, tolerance=2e-3):
        """Every corner at the same place."""
        for corner in np.ndindex(2, 2, 2):
            voxel = np.append(np.array(corner) * (np.array(size) - 1), 1.0)
            np.testing.assert_allclose(got @ voxel, want @ voxel, atol=tolerance, rtol=0)

    def check_read(self, file, array, affine, dtype=None):
        """Whole and in slabs, backward."""
        header, got = self.dump(file)
        self.assertEqual(header["type"], str(np.dtype(dtype or array.dtype)))
        np.testing.assert_array_equal(got, array)
        self.check_world(affine_of_header(header), affine, header["size"])
        np.testing.assert_array_equal(self.dump(file, "slabs", 3)[1], array)


class TheirFilesTest(OracleTest):
    def test_every_type_written_by_simpleitk(self):
        for suffix in [".nii", ".nii.gz", ".hdr", ".img.gz", ".nrrd", ".nhdr", ".mha", ".mhd"]:
            for dtype in SITK_TYPES:
                with self.subTest(suffix=suffix, dtype=dtype):
                    geometry = GEOMETRIES["oblique"]
                    array = voxels(dtype)
                    file = self.path("a" + suffix)
                    sitk.WriteImage(sitk_image(array, geometry), file)
                    self.check_read(file, array, affine_of(geometry))

    def test_every_geometry_written_by_simpleitk(self):
        for suffix in [".nii.gz", ".nrrd", ".mha"]:
            for name, geometry in GEOMETRIES.items():
                for compress in [False, True]:
                    with self.subTest(suffix=suffix, geometry=name, compress=compress):
                        array = voxels("int16")
                        file = self.path("a" + suffix)
                        sitk.WriteImage(sitk_image(array, geometry), file, compress)
                        self.check_read(file, array, affine_of(geometry))

    def test_nibabel_types_byte_orders_and_versions(self):
        affine = LPS4 @ affine_of(GEOMETRIES["oblique left-handed"])
        for kind in [nibabel.Nifti1Image, nibabel.Nifti2Image, nibabel.Nifti1Pair, nibabel.Nifti2Pair]:
            for dtype in SITK_TYPES:
                for order in "<>":
                    with self.subTest(kind=kind.__name__, dtype=dtype, order=order):
                        array = voxels(dtype)
                        header = kind.header_class(endianness=order)
                        header.set_data_dtype(dtype)
                        image = kind(array.T, affine, header)
                        image.header.set_slope_inter(1, 0)
                        file = self.path("a.nii" if "Image" in kind.__name__ else "a.img")
                        nibabel.save(image, file)
                        self.check_read(file, array, LPS4 @ affine)

    def test_nifti_scaling_gives_nibabel_values(self):
        wanted = {
            ("uint8", 1, -1024): "int16", ("int16", 1, -1024): "int32", ("uint8", 2, 0): "int16", ("uint16", 1, 5): "int32",
            ("int16", 0.5, 0.25): "float32", ("uint16", 0.001, -3.5): "float32", ("float32", 2, 1): "float32",
            ("float64", 0.1, 7): "float64", ("int32", 0.5, 0): "float64", ("int16", 0, 5): "int16",
            ("int16", float("nan"), 5): "int16", ("uint8", -1, 255): "uint8", ("int64", 3, 0): "float64",
            ("int16", float("inf"), 0): "int16",
        }
        for (dtype, slope, inter), result in wanted.items():
            with self.subTest(dtype=dtype, slope=slope, inter=inter):
                array = voxels(dtype)
                if dtype.startswith("float"):
                    array.flat[1] = 1
                file = self.path("a.nii")
                nibabel.save(nibabel.Nifti1Image(array.T, np.eye(4), dtype=dtype), file)
                data = bytearray(pathlib.Path(file).read_bytes())
                struct.pack_into("<ff", data, 112, slope, inter)
                pathlib.Path(file).write_bytes(data)
                header, got = self.dump(file)
                self.assertEqual(header["type"], result)
                want = nibabel.load(file).get_fdata().T
                tolerance = 1e-6 if result == "float32" else 0
                np.testing.assert_allclose(got.astype(np.float64), want, rtol=tolerance, atol=tolerance)
                np.testing.assert_array_equal(self.dump(file, "slabs", 2)[1], got)

    def test_nifti_placement_follows_itk(self):
        q = LPS4 @ affine_of(GEOMETRIES["oblique"])
        s = LPS4 @ affine_of((rotation(1, 0.2, -0.4), (0.5, 0.6, 4.0), (5.0, 6.0, 7.0)))
        scaled = LPS4 @ affine_of((rotation(1, 0.2, -0.4), (0.7, 0.6, 4.0), (5.0, 6.0, 7.0)))
        sheared = s.copy()
        sheared[0, 1] += 0.3
        cases = [(q, qc, s, sc, []) for qc in range(5) for sc in range(5)]
        cases += [(q, 1, q, sc, []) for sc in (1, 2, 4)]
        cases += [(q, 1, sheared, 1, []), (q, 1, scaled, 1, [])]
        units, qfac, pixdim = 123, 76, 80
        for unit in (0, 1, 2, 3):
            cases += [(q, 1, s, 2, [(units, "B", unit)]), (q, 0, s, 2, [(units, "B", unit)]), (q, 0, s, 0, [(units, "B", unit)])]
        cases += [(q, 1, s, 0, [(qfac, "f", value)]) for value in (-1, 0, 1, -3)]
        cases += [(q, 1, s, 0, [(pixdim + 8, "f", 0)]), (q, 0, s, 0, [(pixdim, "f", 0)])]
        cases += [(q, 1, s, 0, [(256, "f", 0.9), (260, "f", 0.9)])]  # quaternion above unit length
        array = voxels("int16")
        for qform, qcode, sform, scode, patches in cases:
            with self.subTest(qcode=qcode, scode=scode, patches=patches):
                image = nibabel.Nifti1Image(array.T, None)
                image.set_qform(qform, qcode)
                image.set_sform(sform, scode)
                file = self.path("a.nii")
                nibabel.save(image, file)
                data = bytearray(pathlib.Path(file).read_bytes())
                for offset, kind, value in patches:
                    struct.pack_into("<" + kind, data, offset, value)
                pathlib.Path(file).write_bytes(data)
                self.check_read(file, array, affine_of_sitk(sitk.ReadImage(file)))

    def test_a_sheared_sform_alone_is_kept(self):
        sheared = LPS4 @ affine_of(GEOMETRIES["oblique"])
        sheared[0, 1] += 0.2
        array = voxels("int16")
        image = nibabel.Nifti1Image(array.T, None)
        image.set_qform(sheared, 0)
        image.set_sform(sheared, 2)
        nibabel.save(image, self.path("a.nii"))
        self.check_read(self.path("a.nii"), array, LPS4 @ nibabel.load(self.path("a.nii")).affine)
        for name in ["b.nii.gz", "b.nrrd", "b.mha", "b.npz"]:
            self.probe("convert", self.path("a.nii"), self.path(name))
            self.check_read(self.path(name), array, LPS4 @ sheared)
        np.testing.assert_allclose(nibabel.load(self.path("b.nii.gz")).affine, sheared, atol=1e-4)

    def test_nifti_with_fewer_and_more_axes(self):
        for shape, fine in [((7, 5), True), ((7, 5, 4, 1), True), ((7, 5, 4, 1, 1), True), ((7, 5, 4, 3), False), ((7, 5, 4, 1, 3), False)]:
            with self.subTest(shape=shape):
                array = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
                nibabel.save(nibabel.Nifti1Image(array, np.diag([2, 3, 4, 1])), self.path("a.nii.gz"))
                if fine:
                    _, got = self.dump(self.path("a.nii.gz"))
                    np.testing.assert_array_equal(got, array.reshape((*shape, 1, 1)[:3]).T)
                else:
                    message = self.probe("info", self.path("a.nii.gz"), fails=True)
                    self.assertIn("must hold one volume, got 3 (dim[", message)

    def test_nifti_extensions_and_several_gzip_members(self):
        array = voxels("int16")
        image = nibabel.Nifti1Image(array.T, np.eye(4))
        image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"x" * 1000))
        nibabel.save(image, self.path("a.nii"))
        self.check_read(self.path("a.nii"), array, LPS4)
        data = pathlib.Path(self.path("a.nii")).read_bytes()
        parts = b"".join(gzip.compress(data[i : i + 100]) for i in range(0, len(data), 100))
        pathlib.Path(self.path("b.nii.gz")).write_bytes(parts + b"\0" * 50)
        self.check_read(self.path("b.nii.gz"), array, LPS4)

    def test_pynrrd_encodings_orders_and_layouts(self):
        direction, spacing, origin = GEOMETRIES["oblique left-handed"]
        array = voxels("int16")
        for encoding in ["raw", "gzip", "text"]:
            for endian in ["little", "big"]:
                for detached in [False, True]:
                    for space, flip in [("left-posterior-superior", np.eye(3)), ("RAS", LPS_FROM_RAS), ("LAS", np.diag([1, -1, 1.0]))]:
                        with self.subTest(encoding=encoding, endian=endian, detached=detached, space=space):
                            header = {
                                "space": space, "endian": endian, "encoding": encoding,
                                "space directions": (flip @ np.asarray(direction) @ np.diag(spacing)).T,
                                "space origin": flip @ np.asarray(origin),
                                "kinds": ["domain"] * 3,
                            }
                            file = self.path("a.nhdr" if detached else "a.nrrd")
                            data = array.astype(array.dtype.newbyteorder("<" if endian == "little" else ">"))
                            nrrd.write(file, data.T, header, detached_header=detached)
                            self.check_read(file, array, affine_of(GEOMETRIES["oblique left-handed"]))

    def test_nrrd_corners_read_as_simpleitk_reads_them(self):
        array = np.arange(4 * 5 * 7, dtype=np.int16).reshape(4, 5, 7)
        base = "NRRD0004\ntype: short\ndimension: 3\nsizes: 7 5 4\nencoding: raw\nendian: little\n"
        for extra in [
            "", "spacings: 0.5 0.6 2\n", "spacings: 0.5 0.6 nan\n", "spacings: 0.5 0.6 2\naxis mins: 1 2 3\n",
            "spacings: 0.5 0.6 2\naxis mins: 1 2 3\ncenterings: node node node\n",
            "spacings: 0.5 0.6 2\naxis mins: 1 2 3\ncenters: cell cell cell\n",
            "space dimension: 3\nspace directions: (0,0.5,0) (0.6,0,0) (0,0,-2)\nspace origin: (1,2,3)\n",
            "space: 3D-right-handed\nspace directions: (0.5,0,0) (0,0.6,0) (0,0,2)\n",
            "space: scanner-xyz\nspace directions: ( 0.5 , 0 , 0 ) (0,0.6,0) (0,0,2)\nspace origin: (1, 2, 3)\n",
            "# a comment\nkey:=value: more\nspace: LPS\nspace directions: (0.5,0,0) (0,0.6,0) (0,0,2)\nthicknesses: nan nan 5\n",
        ]:
            with self.subTest(extra=extra):
                file = self.path("a.nrrd")
                pathlib.Path(file).write_bytes((base + extra + "\n").encode() + array.tobytes())
                self.check_read(file, array, affine_of_sitk(sitk.ReadImage(file)))

    def test_nrrd_skips_lists_and_patterns(self):
        array = voxels("int16")
        raw = array.astype(">i2").tobytes()
        base = "NRRD0005\ntype: int16\ndimension: 3\nsizes: 7 5 4\nendian: big\n"
        half = len(raw) // 2
        files = {
            "end.raw": b"junk" * 9 + raw, "skip.raw": b"one\ntwo\nxyz" + raw,
            "zip.raw": b"one\n" + gzip.compress(b"pad" + raw),
            "p1.raw": raw[:half], "p2.raw": raw[half:],
        }
        for name, data in files.items():
            (self.folder / name).write_bytes(data)
        for text in [
            "encoding: raw\nbyte skip: -1\ndata file: end.raw\n",
            "encoding: raw\nline skip: 2\nbyte skip: 3\ndata file: skip.raw\n",
            "encoding: gzip\nline skip: 1\nbyte skip: 3\ndata file: zip.raw\n",
            "encoding: raw\ndata file: p%d.raw 1 2 1\n",
            "encoding: raw\ndata file: LIST\np1.raw\np2.raw\n",
        ]:
            with self.subTest(text=text):
                (self.folder / "a.nhdr").write_text(base + text)
                self.check_read(self.path("a.nhdr"), array, np.eye(4))

    def test_metaimage_corners_read_as_simpleitk_reads_them(self):
        array = voxels("int16")
        base = "ObjectType = Image\nNDims = 3\nDimSize = 7 5 4\nElementType = MET_SHORT\n"
        geometry = "Offset = 1 2 3\nElementSpacing = 0.5 0.6 2\nTransformMatrix = 0 1 0 -1 0 0 0 0 1\n"
        big = array.astype(">i2").tobytes()
        (self.folder / "data.raw").write_bytes(b"head" * 20 + array.tobytes())
        (self.folder / "plain.raw").write_bytes(array.tobytes())
        for z in range(4):
            (self.folder / f"s{z:03d}.raw").write_bytes(array[z].tobytes())
        text = " ".join(map(str, array.ravel())).encode()
        cases = [
            (geometry + "BinaryData = True\nElementDataFile = LOCAL\n", array.tobytes()),
            (geometry + "BinaryData = True\nBinaryDataByteOrderMSB = True\nElementDataFile = LOCAL\n", big),
            (geometry + "BinaryData = True\nElementByteOrderMSB = True\nElementDataFile = LOCAL\n", big),
            ("Position = 4 5 6\nOrientation = 1 0 0 0 0 1 0 -1 0\nElementSize = 1 2 3\nBinaryData = True\nElementDataFile = LOCAL\n", array.tobytes()),
            ("AnatomicalOrientation = LPI\nBinaryData = True\nElementDataFile = LOCAL\n", array.tobytes()),
            (geometry + "BinaryData = True\nHeaderSize = -1\nElementDataFile = data.raw\n", b""),
            (geometry + "BinaryData = True\nHeaderSize = 80\nElementDataFile = data.raw\n", b""),
            (geometry + "BinaryData = True\nElementDataFile = plain.raw\n", b""),
            (geometry + "BinaryData = True\nElementDataFile = s%03d.raw 0 3 1\n", b""),
            (geometry + "BinaryData = True\nElementDataFile = LIST\n" + "".join(f"s{z:03d}.raw\n" for z in range(4)), b""),
            (geometry + "BinaryData = False\nElementDataFile = LOCAL\n", text),
        ]
        for extra, data in cases:
            with self.subTest(extra=extra):
                file = self.path("a.mhd" if not data else "a.mha")
                pathlib.Path(file).write_bytes((base + extra).encode() + data)
                if "BinaryData = False" not in extra:  # SimpleITK reads no text voxels
                    image = sitk.ReadImage(file)
                    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), array)
                    want = affine_of_sitk(image)
                else:
                    want = affine_of((np.array([[0, -1.0, 0], [1, 0, 0], [0, 0, 1]]), (0.5, 0.6, 2), (1, 2, 3)))
                self.check_read(file, array, want)

    def test_numpy_archives(self):
        spacing = np.array([0.5, 0.6, 4.0])
        for save in [np.savez, np.savez_compressed]:
            for dtype in [*SITK_TYPES, "bool", "float16", ">i2", ">f4", ">f2"]:
                with self.subTest(save=save.__name__, dtype=dtype):
                    if np.dtype(dtype).kind == "b":
                        array, result = np.indices((4, 5, 7)).sum(0) % 2 == 1, "uint8"
                    else:
                        array = voxels(np.dtype(dtype).newbyteorder("=")).astype(dtype)
                        result = "float32" if "f2" in np.dtype(dtype).str else str(np.dtype(dtype).newbyteorder("="))
                    save(self.path("a.npz"), imgs=array, spacing=spacing, boxes=np.zeros((2, 6)))
                    want = affine_of((np.eye(3), spacing, (0, 0, 0)))
                    self.check_read(self.path("a.npz"), array.astype(result), want, result)
        array = np.asfortranarray(voxels("int16"))
        np.savez(self.path("f.npz"), imgs=array)
        self.check_read(self.path("f.npz"), array, np.eye(4))

    def test_label_arrays_of_an_archive(self):
        image, labels = voxels("uint8"), np.arange(4 * 5 * 7, dtype=np.uint8).reshape(4, 5, 7) % 5
        for name in ["gts", "segs"]:
            np.savez_compressed(self.path("a.npz"), **{"imgs": image, name: labels, "spacing": np.ones(3)})
            self.probe("labels", self.path("a.npz"), self.path("b.nrrd"))
            np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(self.path("b.nrrd"))), labels)
            np.testing.assert_array_equal(self.dump(self.path("a.npz"))[1], image)

    def test_pictures_as_pillow_reads_them(self):
        rng = np.random.default_rng(3)
        grey, wide = rng.integers(0, 256, (33, 47), np.uint8), rng.integers(0, 65536, (33, 47), np.uint16)
        colour = rng.integers(0, 256, (33, 47, 3), np.uint8)
        alpha = rng.integers(0, 256, (33, 47, 4), np.uint8)
        cases = {
            "grey.png": Image.fromarray(grey), "wide.png": Image.fromarray(wide), "colour.png": Image.fromarray(colour),
            "alpha.png": Image.fromarray(alpha), "bits.png": Image.fromarray(grey > 99),
            "palette.png": Image.fromarray(colour).quantize(64), "grey.jpg": Image.fromarray(grey),
            "grey.tif": Image.fromarray(grey), "wide.tif": Image.fromarray(wide), "colour.tif": Image.fromarray(colour),
        }
        for name, picture in cases.items():
            with self.subTest(name=name):
                picture.save(self.path(name))
                reread = Image.open(self.path(name))
                if reread.mode in ("I;16", "I"):
                    want = np.asarray(reread).astype(np.uint16)
                elif reread.mode == "1":
                    want = np.asarray(reread.convert("L"))
                else:
                    want = np.asarray(reread.convert("RGB").convert("L") if reread.mode != "L" else reread)
                self.check_read(self.path(name), want[None], np.eye(4))
        Image.fromarray(colour).save(self.path("colour.jpg"), quality=95)
        got = self.dump(self.path("colour.jpg"))[1][0].astype(int)
        want = np.asarray(Image.open(self.path("colour.jpg")).convert("L")).astype(int)
        self.assertLessEqual(np.abs(got - want).max(), 3)  # another decoder, colour conversion twice

    def test_tiff_stacks_as_tifffile_writes_them(self):
        for dtype in ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32"]:
            for options in [{}, {"compression": "zlib"}, {"compression": "lzw", "predictor": np.dtype(dtype).kind != "f"}, {"tile": (16, 32)}, {"byteorder": ">"}, {"bigtiff": True}, {"rowsperstrip": 5}]:
                with self.subTest(dtype=dtype, options=options):
                    array = voxels(dtype, (4, 37, 45))
                    try:
                        tifffile.imwrite(self.path("a.tif"), array, photometric="minisblack", **options)
                    except (ImportError, ValueError, KeyError) as error:
                        if "imagecodecs" in str(error) or "requires" in str(error):
                            continue  # LZW is an extra of tifffile; Pillow's is tested above
                        raise
                    self.check_read(self.path("a.tif"), array, np.eye(4))


class OurFilesTest(OracleTest):
    def test_every_type_read_by_simpleitk(self):
        for dtype in SITK_TYPES:
            array = voxels(dtype)
            geometry = GEOMETRIES["oblique"]
            sitk.WriteImage(sitk_image(array, geometry), self.path("in.nrrd"))
            for suffix in [".nii", ".nii.gz", ".hdr", ".img", ".nrrd", ".nhdr", ".mha", ".mhd"]:
                with self.subTest(suffix=suffix, dtype=dtype):
                    file = self.path("out" + suffix)
                    self.probe("convert", self.path("in.nrrd"), file)
                    image = sitk.ReadImage(file)
                    # ITK turns what isn't finite in NIfTI to 0.
                    want = array
                    if suffix in (".nii", ".nii.gz", ".hdr", ".img"):
                        want = np.where(np.isfinite(array), array, 0)
                    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), want)
                    self.assertEqual(sitk.GetArrayFromImage(image).dtype, np.dtype(dtype))
                    self.check_world(affine_of_sitk(image), affine_of(geometry), image.GetSize())

    def test_every_geometry_read_by_all(self):
        array = voxels("int16")
        for name, geometry in GEOMETRIES.items():
            sitk.WriteImage(sitk_image(array, geometry), self.path("in.mha"))
            want, size = affine_of(geometry), array.shape[::-1]
            for suffix in [".nii.gz", ".img", ".nrrd", ".nhdr", ".mha", ".mhd", ".npz"]:
                with self.subTest(suffix=suffix, geometry=name):
                    file = self.path("out" + suffix)
                    self.probe("convert", self.path("in.mha"), file)
                    self.check_read(file, array, want)
                    if suffix == ".npz":
                        with np.load(file) as npz:
                            np.testing.assert_array_equal(npz["imgs"], array)
                            np.testing.assert_allclose(npz["spacing"], geometry[1])
                        continue
                    image = sitk.ReadImage(file)
                    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), array)
                    self.check_world(affine_of_sitk(image), want, size)
                    if suffix in (".nii.gz", ".img"):
                        theirs = nibabel.load(file)
                        np.testing.assert_array_equal(np.asarray(theirs.dataobj).T, array)
                        self.check_world(LPS4 @ theirs.affine, want, size)
                        self.check_world(LPS4 @ theirs.get_qform(), want, size)
                        self.check_world(LPS4 @ theirs.get_sform(), want, size)
                    if suffix in (".nrrd", ".nhdr"):
                        data, header = nrrd.read(file)
                        np.testing.assert_array_equal(data.T, array)
                        np.testing.assert_allclose(header["space directions"].T, want[:3, :3], atol=1e-9)
                        np.testing.assert_allclose(header["space origin"], want[:3, 3], atol=1e-9)

    def test_long_axes_become_nifti_2(self):
        array = np.arange(40000, dtype=np.int16).reshape(1, 1, 40000)
        np.savez(self.path("a.npz"), imgs=array)
        for name, kind in [("b.nii.gz", nibabel.Nifti2Image), ("b.hdr", nibabel.Nifti2Pair)]:
            self.probe("convert", self.path("a.npz"), self.path(name))
            image = nibabel.load(self.path(name))
            self.assertIsInstance(image, kind)
            np.testing.assert_array_equal(np.asarray(image.dataobj).T, array)
            self.check_read(self.path(name), array, np.eye(4))

    def test_label_names_travel_as_segments(self):
        array = (np.indices((4, 5, 7)).sum(0) % 4).astype(np.uint16)
        (self.folder / "in.seg.nrrd").write_bytes(
            b"NRRD0004\ntype: ushort\ndimension: 3\nspace: LPS\nsizes: 7 5 4\nendian: little\nencoding: raw\n"
            b"space directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)\n"
            b"Segment0_LabelValue:=2\nSegment0_Name:=liver: left\\nlobe\nSegment1_LabelValue:=1\nSegment1_Name:=tumour\n\n" + array.tobytes())
        names = self.probe("labels", self.path("in.seg.nrrd"), self.path("out.seg.nrrd"))
        self.assertEqual(names, {"2": "liver: left\nlobe", "1": "tumour"})
        self.assertEqual(self.probe("labels", self.path("out.seg.nrrd"), self.path("again.seg.nrrd")), names)
        data, header = nrrd.read(self.path("out.seg.nrrd"))
        self.assertEqual(data.dtype, np.uint8)
        np.testing.assert_array_equal(data.T, array)
        self.assertEqual((header["Segment1_Name"], header["Segment1_LabelValue"]), ("tumour", "1"))
        self.assertEqual(len(header["Segment0_Color"].split()), 3)
        image = sitk.ReadImage(self.path("out.seg.nrrd"))
        self.assertEqual(image.GetMetaData("Segment1_Name"), "tumour")


class SampleDataTest(OracleTest):
    def test_real_volumes_agree_with_simpleitk_and_nibabel(self):
        folder = os.environ.get("VOXLOOM_SAMPLE_DATA")
        files = [f for f in sorted(pathlib.Path(folder or "/nonexistent").glob("**/*")) if f.name.endswith((".nii.gz", ".nii", ".nrrd", ".mha"))]
        if not files:
            self.skipTest("VOXLOOM_SAMPLE_DATA names no folder with volumes")
        for file in files:
            with self.subTest(file=file.name):
                image = sitk.ReadImage(str(file))
                affine, size = affine_of_sitk(image), image.GetSize()
                header, got = self.dump(str(file))
                self.check_world(affine_of_header(header), affine, size)
                if file.name.endswith((".nii", ".nii.gz")):
                    want = nibabel.load(str(file)).get_fdata().T
                else:
                    want = sitk.GetArrayFromImage(image).astype(np.float64)
                scale = max(1.0, float(np.abs(want).max()))
                np.testing.assert_allclose(got.astype(np.float64), want, rtol=0, atol=1e-6 * scale)
                np.testing.assert_array_equal(self.dump(str(file), "slabs", 17)[1], got)
                info = self.probe("info", file)["values"]
                np.testing.assert_allclose([info["min"], info["max"], info["mean"]], [want.min(), want.max(), want.mean()], rtol=1e-5)
                for percent, value in info["percentiles"].items():
                    error = abs(value - np.percentile(want, float(percent)))
                    self.assertLessEqual(error, (want.max() - want.min()) / 65535 + 1e-9)
                for name in ["b.nii.gz", "b.nrrd", "b.mha"]:
                    self.probe("convert", file, self.path(name))
                    copy = sitk.ReadImage(self.path(name))
                    np.testing.assert_array_equal(sitk.GetArrayFromImage(copy), got)
                    self.check_world(affine_of_sitk(copy), affine, size)


LPS4 = np.diag([-1.0, -1.0, 1.0, 1.0])

if __name__ == "__main__":
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    unittest.main()
