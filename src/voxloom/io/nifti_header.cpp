#include "voxloom/io/nifti_header.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/io/affine.h"

namespace voxloom::io {
namespace {

using image::Geometry;
using image::PixelType;
using image::Vec3;

/// Reads fields at byte offsets, in the file's byte order.
class FieldReader {
 public:
  FieldReader(std::span<const std::byte> bytes, bool swap) : bytes_(bytes), swap_(swap) {}

  template <class T>
  T get(size_t offset) const {
    std::byte raw[sizeof(T)];
    std::memcpy(raw, bytes_.data() + offset, sizeof(T));
    if (swap_) std::reverse(raw, raw + sizeof(T));
    T value;
    std::memcpy(&value, raw, sizeof(T));
    return value;
  }
  template <class T, class Out>
  void get_all(size_t offset, Out& out) const {
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = static_cast<typename Out::value_type>(get<T>(offset + i * sizeof(T)));
    }
  }

 private:
  std::span<const std::byte> bytes_;
  bool swap_;
};

template <class T>
void put(std::string& bytes, size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof(T));
}

NiftiHeader decode_version_1(const FieldReader& in) {
  NiftiHeader h;
  in.get_all<int16_t>(40, h.dim);
  h.datatype = in.get<int16_t>(70);
  in.get_all<float>(76, h.pixdim);
  h.vox_offset = static_cast<double>(in.get<float>(108));
  h.slope = static_cast<double>(in.get<float>(112));
  h.intercept = static_cast<double>(in.get<float>(116));
  h.units = in.get<uint8_t>(123);
  h.qform_code = in.get<int16_t>(252);
  h.sform_code = in.get<int16_t>(254);
  in.get_all<float>(256, h.quatern);
  in.get_all<float>(268, h.qoffset);
  in.get_all<float>(280, h.srow);
  return h;
}

NiftiHeader decode_version_2(const FieldReader& in) {
  NiftiHeader h;
  h.version = 2;
  h.datatype = in.get<int16_t>(12);
  in.get_all<int64_t>(16, h.dim);
  in.get_all<double>(104, h.pixdim);
  h.vox_offset = static_cast<double>(in.get<int64_t>(168));
  h.slope = in.get<double>(176);
  h.intercept = in.get<double>(184);
  h.qform_code = in.get<int32_t>(344);
  h.sform_code = in.get<int32_t>(348);
  in.get_all<double>(352, h.quatern);
  in.get_all<double>(376, h.qoffset);
  in.get_all<double>(400, h.srow);
  h.units = in.get<int32_t>(500);
  return h;
}

double mm_per_unit(int units) {
  switch (units & 7) {
    case 1:
      return 1000.0;
    case 3:
      return 0.001;
    default:
      return 1.0;  // mm, or unknown, which every reader takes as mm
  }
}

/// Unit columns of the qform's rotation in RAS (NIfTI-1 standard, "method 2").
std::array<double, 9> quaternion_rotation(const NiftiHeader& h) {
  double b = h.quatern[0], c = h.quatern[1], d = h.quatern[2];
  const double rest = 1.0 - (b * b + c * c + d * d);
  double a = 0;
  if (rest > 1e-7) {
    a = std::sqrt(rest);
  } else {
    // A rotation by 180 degrees, or rounding: the standard's code normalises.
    const double length = std::sqrt(b * b + c * c + d * d);
    b /= length;
    c /= length;
    d /= length;
  }
  const double qfac = h.pixdim[0] < 0 ? -1.0 : 1.0;
  return {a * a + b * b - c * c - d * d,
          2 * (b * c - a * d),
          2 * (b * d + a * c) * qfac,
          2 * (b * c + a * d),
          a * a + c * c - b * b - d * d,
          2 * (c * d - a * b) * qfac,
          2 * (b * d - a * c),
          2 * (c * d + a * b),
          (a * a + d * d - b * b - c * c) * qfac};
}

/// (b, c, d) of the rotation with row-major `r`, and its fourth part a >= 0 implied.
Vec3 quaternion_of(const std::array<double, 9>& r) {
  // Takes the largest part from the diagonal, so that the division is safe.
  const std::array<double, 4> squares{1 + r[0] + r[4] + r[8],
                                      1 + r[0] - r[4] - r[8],
                                      1 - r[0] + r[4] - r[8],
                                      1 - r[0] - r[4] + r[8]};
  const auto largest = std::max_element(squares.begin(), squares.end()) - squares.begin();
  const double p = std::sqrt(squares[static_cast<size_t>(largest)]) / 2, q = 1 / (4 * p);
  std::array<double, 4> abcd{};
  switch (largest) {
    case 0:
      abcd = {p, (r[7] - r[5]) * q, (r[2] - r[6]) * q, (r[3] - r[1]) * q};
      break;
    case 1:
      abcd = {(r[7] - r[5]) * q, p, (r[1] + r[3]) * q, (r[2] + r[6]) * q};
      break;
    case 2:
      abcd = {(r[2] - r[6]) * q, (r[1] + r[3]) * q, p, (r[5] + r[7]) * q};
      break;
    default:
      abcd = {(r[3] - r[1]) * q, (r[2] + r[6]) * q, (r[5] + r[7]) * q, p};
  }
  const double sign = abcd[0] < 0 ? -1 : 1;
  return {sign * abcd[1], sign * abcd[2], sign * abcd[3]};
}

void check_finite(std::span<const double> values, std::string_view field, std::string_view file) {
  VOXLOOM_CHECK(
      std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); }),
      ErrorCode::kDataCorrupt,
      "'{}': {} must be finite, got {}",
      file,
      field,
      values);
}

/// Voxel sizes in file units: absolute, and 1 where the file says 0 (as ITK and nibabel do).
Vec3 voxel_sizes(const NiftiHeader& h) {
  Vec3 out{1, 1, 1};
  const auto axes = static_cast<size_t>(std::min<int64_t>(h.dim[0], 3));
  for (size_t i = 0; i < axes; ++i) {
    if (h.pixdim[i + 1] != 0) out[i] = std::abs(h.pixdim[i + 1]);
  }
  return out;
}

/// From RAS steps and origin in file units.
Geometry to_lps(const NiftiHeader& h,
                const std::array<Vec3, 3>& ras_steps,
                const Vec3& ras_origin,
                std::string_view file) {
  const double mm = mm_per_unit(h.units);
  const auto flip = [mm](const Vec3& v) { return Vec3{-v[0] * mm, -v[1] * mm, v[2] * mm}; };
  return geometry_from_steps(nifti_size(h, file),
                             {flip(ras_steps[0]), flip(ras_steps[1]), flip(ras_steps[2])},
                             flip(ras_origin),
                             file);
}

std::array<Vec3, 3> sform_columns(const NiftiHeader& h) {
  std::array<Vec3, 3> out;
  for (size_t axis = 0; axis < 3; ++axis) {
    out[axis] = {h.srow[axis], h.srow[4 + axis], h.srow[8 + axis]};
  }
  return out;
}

double length_of(const Vec3& v) {
  return std::hypot(v[0], v[1], v[2]);
}

bool columns_orthogonal(const std::array<Vec3, 3>& columns) {
  for (size_t a = 0; a < 3; ++a) {
    for (size_t b = 0; b < a; ++b) {
      const double product = length_of(columns[a]) * length_of(columns[b]);
      double dot = 0;
      for (size_t i = 0; i < 3; ++i) dot += columns[a][i] * columns[b][i];
      if (!(std::abs(dot) <= 1e-4 * product) || product == 0) return false;
    }
  }
  return true;
}

}  // namespace

bool looks_like_nifti(std::span<const std::byte> bytes) {
  if (bytes.size() < 4) return false;
  const auto little = FieldReader(bytes, false).get<int32_t>(0);
  const auto big = FieldReader(bytes, true).get<int32_t>(0);
  return little == 348 || big == 348 || little == 540 || big == 540;
}

NiftiHeader decode_nifti_header(std::span<const std::byte> bytes, std::string_view file) {
  VOXLOOM_CHECK(bytes.size() >= kNifti1HeaderBytes,
                ErrorCode::kDataCorrupt,
                "'{}': NIfTI header is cut off: must have 348 bytes, got {}",
                file,
                bytes.size());
  bool swap = false;
  auto length = FieldReader(bytes, false).get<int32_t>(0);
  if (length != 348 && length != 540) {
    swap = true;
    length = FieldReader(bytes, true).get<int32_t>(0);
  }
  VOXLOOM_CHECK(length == 348 || length == 540,
                ErrorCode::kDataCorrupt,
                "'{}': NIfTI header: sizeof_hdr must be 348 or 540, got {}",
                file,
                FieldReader(bytes, false).get<int32_t>(0));
  VOXLOOM_CHECK(bytes.size() >= static_cast<size_t>(length),
                ErrorCode::kDataCorrupt,
                "'{}': NIfTI header is cut off: must have {} bytes, got {}",
                file,
                length,
                bytes.size());
  const FieldReader in(bytes, swap);
  NiftiHeader h = length == 348 ? decode_version_1(in) : decode_version_2(in);
  h.swap_bytes = swap;
  const size_t magic_at = h.version == 1 ? 344 : 4;
  const std::string_view magic(reinterpret_cast<const char*>(bytes.data()) + magic_at, 4);
  const char digit = h.version == 1 ? '1' : '2';
  const bool single = magic[0] == 'n' && magic[1] == '+' && magic[2] == digit;
  h.pair = magic[0] == 'n' && magic[1] == 'i' && magic[2] == digit;
  VOXLOOM_CHECK(
      single || h.pair,
      h.version == 1 ? ErrorCode::kUnsupported : ErrorCode::kDataCorrupt,
      "'{}': the header has no NIfTI magic word: ANALYZE 7.5 files don't say how they lie "
      "in the patient; convert to NIfTI first",
      file);
  VOXLOOM_CHECK(h.dim[0] >= 1 && h.dim[0] <= 7,
                ErrorCode::kDataCorrupt,
                "'{}': NIfTI header: dim[0] must be within [1, 7], got {}",
                file,
                h.dim[0]);
  for (size_t i = 1; i <= static_cast<size_t>(h.dim[0]); ++i) {
    VOXLOOM_CHECK(h.dim[i] >= 1,
                  ErrorCode::kDataCorrupt,
                  "'{}': NIfTI header: dim[{}] must be positive, got {}",
                  file,
                  i,
                  h.dim[i]);
  }
  return h;
}

image::Index3 nifti_size(const NiftiHeader& header, std::string_view file) {
  const auto dim = [&](size_t i) {
    return i <= static_cast<size_t>(header.dim[0]) ? header.dim[i] : int64_t{1};
  };
  for (size_t i = 4; i < 8; ++i) {
    VOXLOOM_CHECK(
        dim(i) == 1,
        ErrorCode::kUnsupported,
        "'{}': must hold one volume, got {} (dim[{}]); split the file and give one of them",
        file,
        dim(i),
        i);
  }
  return {dim(1), dim(2), dim(3)};
}

PixelType nifti_pixel_type(const NiftiHeader& header, std::string_view file) {
  switch (header.datatype) {
    case 2:
      return PixelType::kUint8;
    case 4:
      return PixelType::kInt16;
    case 8:
      return PixelType::kInt32;
    case 16:
      return PixelType::kFloat32;
    case 64:
      return PixelType::kFloat64;
    case 256:
      return PixelType::kInt8;
    case 512:
      return PixelType::kUint16;
    case 768:
      return PixelType::kUint32;
    case 1024:
      return PixelType::kInt64;
    case 1280:
      return PixelType::kUint64;
    default:
      throw Error(
          ErrorCode::kUnsupported,
          format("'{}': NIfTI datatype must be an integer or float of 8 to 64 bits, got code {}{}",
                 file,
                 header.datatype,
                 header.datatype == 128 || header.datatype == 2304  ? " (colour)"
                 : header.datatype == 32 || header.datatype == 1792 ? " (complex)"
                                                                    : ""));
  }
}

Geometry nifti_geometry(const NiftiHeader& header, std::string_view file) {
  const NiftiHeader& h = header;
  const auto axes = static_cast<size_t>(std::min<int64_t>(h.dim[0], 3));
  check_finite(std::span(h.pixdim).subspan(1, axes), "pixdim", file);
  const Vec3 sizes = voxel_sizes(h);
  const bool has_qform = h.qform_code > 0, has_sform = h.sform_code > 0;
  if (!has_qform && !has_sform) {
    // Identity in LPS, so RAS steps point left and back.
    return to_lps(h, {Vec3{-sizes[0], 0, 0}, {0, -sizes[1], 0}, {0, 0, sizes[2]}}, {}, file);
  }
  std::array<Vec3, 3> q_steps{};
  if (has_qform) {
    check_finite(h.quatern, "quatern_b/c/d", file);
    check_finite(h.qoffset, "qoffset", file);
    const auto r = quaternion_rotation(h);
    for (size_t axis = 0; axis < 3; ++axis) {
      for (size_t row = 0; row < 3; ++row) q_steps[axis][row] = r[3 * row + axis] * sizes[axis];
    }
  }
  if (has_sform) {
    check_finite(h.srow, "srow_x/y/z", file);
    auto s_steps = sform_columns(h);
    const Vec3 s_origin{h.srow[3], h.srow[7], h.srow[11]};
    const bool square = columns_orthogonal(s_steps);
    bool same = has_qform;
    for (size_t axis = 0; axis < 3; ++axis) {
      for (size_t row = 0; row < 3; ++row) {
        same = same && std::abs(s_steps[axis][row] - q_steps[axis][row]) <= 1e-4;
      }
      same = same && std::abs(s_origin[axis] - h.qoffset[axis]) <= 1e-4;
    }
    if (square && (!has_qform || h.sform_code == 1 || same)) {
      for (size_t axis = 0; axis < 3; ++axis) {
        const double length = length_of(s_steps[axis]);
        if (axis >= axes || h.pixdim[axis + 1] == 0) continue;
        if (std::abs(length - sizes[axis]) > 1e-3 * sizes[axis]) {
          VOXLOOM_LOG_WARN(
              "nifti: sform and pixdim give different voxel sizes ({} and {}); pixdim is used",
              length,
              sizes[axis]);
        }
        for (double& part : s_steps[axis]) part *= sizes[axis] / length;
      }
      return to_lps(h, s_steps, s_origin, file);
    }
    if (!has_qform) {
      VOXLOOM_LOG_WARN(
          "nifti: the sform has axes that are not at right angles; it is kept as it is");
      return to_lps(h, s_steps, s_origin, file);
    }
  }
  return to_lps(h, q_steps, h.qoffset, file);
}

namespace {

int nifti_type_code(PixelType type) {
  constexpr int kCodes[] = {2, 256, 512, 4, 768, 8, 1280, 1024, 16, 64};
  return kCodes[static_cast<size_t>(type)];
}

}  // namespace

std::string encode_nifti_header(const Geometry& geometry, PixelType type, bool pair) {
  const auto& g = geometry;
  const bool version_2 =
      std::any_of(g.size.begin(), g.size.end(), [](int64_t n) { return n > 32767; });
  const size_t header_bytes = version_2 ? kNifti2HeaderBytes : kNifti1HeaderBytes;
  // Four bytes "no extension" and, in a single file, voxels on a multiple of 16.
  std::string out(version_2 ? 544 : 352, '\0');
  const int64_t vox_offset = pair ? 0 : static_cast<int64_t>(out.size());

  std::array<double, 9> ras = g.direction;
  for (size_t i = 0; i < 6; ++i) ras[i] = -ras[i];
  const double det = ras[0] * (ras[4] * ras[8] - ras[5] * ras[7]) -
                     ras[1] * (ras[3] * ras[8] - ras[5] * ras[6]) +
                     ras[2] * (ras[3] * ras[7] - ras[4] * ras[6]);
  const double qfac = det < 0 ? -1 : 1;
  std::array<double, 9> rotation = ras;
  for (size_t row = 0; row < 3; ++row) rotation[3 * row + 2] *= qfac;
  const Vec3 quatern = quaternion_of(rotation);
  const Vec3 offset{-g.origin_mm[0], -g.origin_mm[1], g.origin_mm[2]};
  const int qform_code = is_orthogonal(g) ? 1 : 0;
  const auto bits = static_cast<int16_t>(8 * image::bytes_per_voxel(type));
  const auto code = static_cast<int16_t>(nifti_type_code(type));
  const auto srow = [&](size_t row, size_t column) {
    return column == 3 ? offset[row] : ras[3 * row + column] * g.spacing_mm[column];
  };
  const std::array<double, 8> pixdim{
      qfac, g.spacing_mm[0], g.spacing_mm[1], g.spacing_mm[2], 1, 1, 1, 1};
  const std::array<int64_t, 8> dim{3, g.size[0], g.size[1], g.size[2], 1, 1, 1, 1};
  constexpr int kMillimetres = 2;
  put(out, 0, static_cast<int32_t>(header_bytes));

  if (version_2) {
    std::memcpy(out.data() + 4, pair ? "ni2\0\r\n\032\n" : "n+2\0\r\n\032\n", 8);
    put(out, 12, code);
    put(out, 14, bits);
    for (size_t i = 0; i < 8; ++i) put(out, 16 + 8 * i, dim[i]);
    for (size_t i = 0; i < 8; ++i) put(out, 104 + 8 * i, pixdim[i]);
    put(out, 168, vox_offset);
    put(out, 176, 1.0);
    put(out, 344, static_cast<int32_t>(qform_code));
    put(out, 348, int32_t{1});
    for (size_t i = 0; i < 3; ++i) put(out, 352 + 8 * i, quatern[i]);
    for (size_t i = 0; i < 3; ++i) put(out, 376 + 8 * i, offset[i]);
    for (size_t i = 0; i < 12; ++i) put(out, 400 + 8 * i, srow(i / 4, i % 4));
    put(out, 500, int32_t{kMillimetres});
    return out;
  }
  out[38] = 'r';  // "regular", which old readers want
  for (size_t i = 0; i < 8; ++i) put(out, 40 + 2 * i, static_cast<int16_t>(dim[i]));
  put(out, 70, code);
  put(out, 72, bits);
  for (size_t i = 0; i < 8; ++i) put(out, 76 + 4 * i, static_cast<float>(pixdim[i]));
  put(out, 108, static_cast<float>(vox_offset));
  put(out, 112, 1.0F);
  out[123] = kMillimetres;
  put(out, 252, static_cast<int16_t>(qform_code));
  put(out, 254, int16_t{1});
  for (size_t i = 0; i < 3; ++i) put(out, 256 + 4 * i, static_cast<float>(quatern[i]));
  for (size_t i = 0; i < 3; ++i) put(out, 268 + 4 * i, static_cast<float>(offset[i]));
  for (size_t i = 0; i < 12; ++i) put(out, 280 + 4 * i, static_cast<float>(srow(i / 4, i % 4)));
  std::memcpy(out.data() + 344, pair ? "ni1" : "n+1", 4);
  return out;
}

}  // namespace voxloom::io
