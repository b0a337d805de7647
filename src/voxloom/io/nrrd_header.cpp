#include "voxloom/io/nrrd_header.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "voxloom/core/error.h"
#include "voxloom/io/affine.h"
#include "voxloom/io/text_header.h"

namespace voxloom::io {
namespace {

using image::Geometry;
using image::PixelType;
using image::Vec3;

constexpr size_t kMaxDimension = 16;  // the format's own limit

std::string canonical_field(std::string_view name) {
  std::string out = lower_case(trimmed(name));
  constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kSynonyms{{
      {"datafile", "data file"},
      {"lineskip", "line skip"},
      {"byteskip", "byte skip"},
      {"centers", "centerings"},
      {"axismins", "axis mins"},
      {"axismaxs", "axis maxs"},
      {"sampleunits", "sample units"},
  }};
  for (const auto& [from, to] : kSynonyms) {
    if (out == from) return std::string(to);
  }
  return out;
}

/// Takes one line off `text`; the line end may be "\n" or "\r\n".
std::string_view take_line(std::string_view& text) {
  const size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// "\n" and "\\" are written with a backslash in keys and values.
std::string unescaped(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == 'n' || text[i + 1] == '\\')) {
      out += text[++i] == 'n' ? '\n' : '\\';
    } else {
      out += text[i];
    }
  }
  return out;
}

/// Signs that turn the file's world axes into LPS.
Vec3 signs_to_lps(std::string_view space, std::string_view file) {
  const std::string name = lower_case(space);
  if (name == "right-anterior-superior" || name == "ras") return {-1, -1, 1};
  if (name == "left-anterior-superior" || name == "las") return {1, -1, 1};
  if (name == "left-posterior-superior" || name == "lps" || name == "scanner-xyz" ||
      name == "3d-right-handed" || name == "3d-left-handed") {
    return {1, 1, 1};
  }
  throw Error(
      ErrorCode::kUnsupported,
      format("'{}': field 'space' must be LPS, RAS, LAS, scanner-xyz or 3D-right/left-handed, "
             "got '{}'",
             file,
             space));
}

/// "(1,0,0)" with blanks anywhere; the words of one field may be joined or apart.
std::vector<std::optional<std::vector<double>>> parse_vectors(std::string_view text,
                                                              const FieldName& where) {
  std::vector<std::optional<std::vector<double>>> out;
  for (text = trimmed(text); !text.empty(); text = trimmed(text)) {
    VOXLOOM_CHECK(out.size() < kMaxDimension,
                  ErrorCode::kDataCorrupt,
                  "{} must have at most {} vectors",
                  where.text(),
                  kMaxDimension);
    if (text.front() == '(') {
      const size_t close = text.find(')');
      VOXLOOM_CHECK(close != std::string_view::npos,
                    ErrorCode::kDataCorrupt,
                    "{} must be vectors like (1,0,0), got '{}'",
                    where.text(),
                    text);
      std::string inner(text.substr(1, close - 1));
      std::replace(inner.begin(), inner.end(), ',', ' ');
      std::vector<double> vector;
      for (const auto word : split_words(inner)) vector.push_back(parse_number(word, where));
      out.emplace_back(std::move(vector));
      text.remove_prefix(close + 1);
    } else {
      const auto word = split_words(text).front();
      VOXLOOM_CHECK(lower_case(word) == "none",
                    ErrorCode::kDataCorrupt,
                    "{} must be vectors like (1,0,0) or 'none', got '{}'",
                    where.text(),
                    word);
      out.emplace_back(std::nullopt);
      text.remove_prefix(word.size());
    }
  }
  return out;
}

/// What the header says of one axis; `step` is in the file's world.
struct Axis {
  int64_t size = 1;
  double spacing = std::numeric_limits<double>::quiet_NaN();
  double thickness = std::numeric_limits<double>::quiet_NaN();
  double minimum = std::numeric_limits<double>::quiet_NaN();
  bool node_centred = false;
  std::optional<std::vector<double>> step;
  std::string kind;
};

bool is_range_kind(const std::string& kind) {
  constexpr std::string_view kDomain[] = {"", "domain", "space", "time", "???", "none"};
  return std::find(std::begin(kDomain), std::end(kDomain), kind) == std::end(kDomain);
}

class AxisReader {
 public:
  AxisReader(const NrrdHeader& header, std::string_view file) : header_(header), file_(file) {}

  std::vector<Axis> read() {
    const auto dimension =
        static_cast<size_t>(parse_integer(trimmed(required_field(header_, "dimension", file_)),
                                          {file_, "dimension"},
                                          1,
                                          kMaxDimension));
    axes_.resize(dimension);
    const auto sizes = words("sizes");
    VOXLOOM_CHECK(!sizes.empty(), ErrorCode::kDataCorrupt, "'{}': must have field 'sizes'", file_);
    for (size_t i = 0; i < dimension; ++i) {
      axes_[i].size = parse_integer(sizes[i], {file_, "sizes"}, 1, int64_t{1} << 40);
    }
    numbers("spacings", &Axis::spacing);
    numbers("thicknesses", &Axis::thickness);
    numbers("axis mins", &Axis::minimum);
    const auto kinds = words("kinds");
    for (size_t i = 0; i < kinds.size(); ++i) axes_[i].kind = lower_case(kinds[i]);
    const auto centerings = words("centerings");
    for (size_t i = 0; i < centerings.size(); ++i) {
      axes_[i].node_centred = lower_case(centerings[i]) == "node";
    }
    if (const auto it = header_.fields.find("space directions"); it != header_.fields.end()) {
      auto vectors = parse_vectors(it->second, {file_, "space directions"});
      VOXLOOM_CHECK(vectors.size() == dimension,
                    ErrorCode::kDataCorrupt,
                    "'{}': field 'space directions' must have {} vectors, got {}",
                    file_,
                    dimension,
                    vectors.size());
      for (size_t i = 0; i < dimension; ++i) axes_[i].step = std::move(vectors[i]);
    }
    return std::move(axes_);
  }

 private:
  std::vector<std::string_view> words(const std::string& field) {
    const auto it = header_.fields.find(field);
    if (it == header_.fields.end()) return {};
    auto list = split_words(it->second);
    VOXLOOM_CHECK(list.size() == axes_.size(),
                  ErrorCode::kDataCorrupt,
                  "'{}': field '{}' must have {} values, one an axis, got {}",
                  file_,
                  field,
                  axes_.size(),
                  list.size());
    return list;
  }
  void numbers(const std::string& field, double Axis::*member) {
    const auto list = words(field);
    for (size_t i = 0; i < list.size(); ++i) {
      axes_[i].*member = parse_number(list[i], {file_, field});
    }
  }

  const NrrdHeader& header_;
  std::string_view file_;
  std::vector<Axis> axes_;
};

/// Drops axes that are no direction in space; they must have one element.
std::vector<Axis> spatial_axes(std::vector<Axis> axes, bool has_directions, std::string_view file) {
  std::vector<Axis> out;
  for (size_t i = 0; i < axes.size(); ++i) {
    const bool spatial = has_directions ? axes[i].step.has_value() : !is_range_kind(axes[i].kind);
    if (spatial && out.size() < 3) {
      out.push_back(std::move(axes[i]));
      continue;
    }
    VOXLOOM_CHECK(axes[i].size == 1,
                  ErrorCode::kUnsupported,
                  "'{}': must hold one value a voxel, got {} on axis {} ({}); {}",
                  file,
                  axes[i].size,
                  i,
                  axes[i].kind.empty() ? "no kind" : std::string_view(axes[i].kind),
                  axes[i].kind == "list"
                      ? "segments that overlap are stored as layers: export them as one label map"
                      : "split it into scalar volumes first");
  }
  VOXLOOM_CHECK(
      !out.empty(), ErrorCode::kDataCorrupt, "'{}': must have at least one axis in space", file);
  return out;
}

/// A direction at right angles to the first two, for a single slice.
Vec3 cross_unit(const Vec3& a, const Vec3& b) {
  Vec3 c{a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
  const double length = std::hypot(c[0], c[1], c[2]);
  for (double& part : c) part /= length;
  return c;
}

double spacing_of(const Axis& axis) {
  if (std::isfinite(axis.spacing) && axis.spacing != 0) return std::abs(axis.spacing);
  // A single slice has no neighbours to measure to: how thick it is is what is known.
  if (axis.size == 1 && std::isfinite(axis.thickness) && axis.thickness > 0) return axis.thickness;
  return 1.0;
}

}  // namespace

const std::string& required_field(const NrrdHeader& header,
                                  const std::string& name,
                                  std::string_view file) {
  const auto it = header.fields.find(name);
  VOXLOOM_CHECK(it != header.fields.end(),
                ErrorCode::kDataCorrupt,
                "'{}': NRRD header must have field '{}'",
                file,
                name);
  return it->second;
}

NrrdHeader parse_nrrd_header(std::string_view text, std::string_view file) {
  const size_t total = text.size();
  const std::string_view magic = take_line(text);
  VOXLOOM_CHECK(
      magic.size() == 8 && magic.starts_with("NRRD000") && magic[7] >= '1' && magic[7] <= '5',
      ErrorCode::kDataCorrupt,
      "'{}': must begin with NRRD0001 to NRRD0005, got '{}'",
      file,
      magic.substr(0, 16));
  NrrdHeader header;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (line.empty()) {
      header.length = total - text.size();
      return header;
    }
    if (line.front() == '#') continue;
    const size_t colon = line.find(':');
    VOXLOOM_CHECK(colon != std::string_view::npos && colon > 0,
                  ErrorCode::kDataCorrupt,
                  "'{}': NRRD header line must be 'field: value', got '{}'",
                  file,
                  line.substr(0, 80));
    if (line.substr(colon).starts_with(":=")) {
      header.key_values[unescaped(line.substr(0, colon))] = unescaped(line.substr(colon + 2));
      continue;
    }
    const std::string name = canonical_field(line.substr(0, colon));
    const std::string value(trimmed(line.substr(colon + 1)));
    header.fields[name] = value;
    if (name == "data file" && lower_case(value).starts_with("list")) {
      // The list is the rest of the header.
      while (!text.empty()) {
        const auto listed = trimmed(take_line(text));
        if (!listed.empty()) header.listed_files.emplace_back(listed);
      }
    }
  }
  header.length = total;
  return header;
}

PixelType nrrd_pixel_type(const NrrdHeader& header, std::string_view file) {
  std::string name;
  for (const auto word : split_words(required_field(header, "type", file))) {
    const std::string part = lower_case(word);
    if (part == "signed") continue;
    name += name.empty() ? part : " " + part;
  }
  constexpr std::pair<std::string_view, PixelType> kNames[] = {
      {"char", PixelType::kInt8},
      {"int8", PixelType::kInt8},
      {"int8_t", PixelType::kInt8},
      {"uchar", PixelType::kUint8},
      {"unsigned char", PixelType::kUint8},
      {"uint8", PixelType::kUint8},
      {"uint8_t", PixelType::kUint8},
      {"short", PixelType::kInt16},
      {"short int", PixelType::kInt16},
      {"int16", PixelType::kInt16},
      {"int16_t", PixelType::kInt16},
      {"ushort", PixelType::kUint16},
      {"unsigned short", PixelType::kUint16},
      {"unsigned short int", PixelType::kUint16},
      {"uint16", PixelType::kUint16},
      {"uint16_t", PixelType::kUint16},
      {"int", PixelType::kInt32},
      {"int32", PixelType::kInt32},
      {"int32_t", PixelType::kInt32},
      {"uint", PixelType::kUint32},
      {"unsigned int", PixelType::kUint32},
      {"uint32", PixelType::kUint32},
      {"uint32_t", PixelType::kUint32},
      {"longlong", PixelType::kInt64},
      {"long long", PixelType::kInt64},
      {"long long int", PixelType::kInt64},
      {"int64", PixelType::kInt64},
      {"int64_t", PixelType::kInt64},
      {"ulonglong", PixelType::kUint64},
      {"unsigned long long", PixelType::kUint64},
      {"unsigned long long int", PixelType::kUint64},
      {"uint64", PixelType::kUint64},
      {"uint64_t", PixelType::kUint64},
      {"float", PixelType::kFloat32},
      {"double", PixelType::kFloat64},
  };
  for (const auto& [text, type] : kNames) {
    if (name == text) return type;
  }
  throw Error(ErrorCode::kUnsupported,
              format("'{}': field 'type' must be an integer or float type of NRRD, got '{}'",
                     file,
                     header.fields.at("type")));
}

Geometry nrrd_geometry(const NrrdHeader& header, std::string_view file) {
  const bool has_directions = header.fields.contains("space directions");
  auto axes = spatial_axes(AxisReader(header, file).read(), has_directions, file);
  const size_t count = axes.size();
  Vec3 signs{1, 1, 1};
  if (const auto it = header.fields.find("space"); it != header.fields.end()) {
    signs = signs_to_lps(it->second, file);
  }
  image::Index3 size{1, 1, 1};
  std::array<Vec3, 3> steps{};
  for (size_t i = 0; i < 3; ++i) {
    steps[i][i] = i < count ? spacing_of(axes[i]) : 1.0;
    if (i < count) size[i] = axes[i].size;
  }
  if (!has_directions) {
    // The axes are the world's own, whatever it is called; ITK flips nothing here either.
    Vec3 origin{};
    for (size_t i = 0; i < count; ++i) {
      if (!std::isfinite(axes[i].minimum) || !std::isfinite(axes[i].spacing)) continue;
      origin[i] = axes[i].minimum + (axes[i].node_centred ? 0.0 : axes[i].spacing / 2);
    }
    return geometry_from_steps(size, steps, origin, file);
  }
  for (size_t i = 0; i < count; ++i) {
    const auto& step = *axes[i].step;
    VOXLOOM_CHECK(step.size() == 3 || (step.size() == 2 && count <= 2),
                  ErrorCode::kUnsupported,
                  "'{}': field 'space directions' must hold vectors of 3 numbers, got {}",
                  file,
                  step.size());
    steps[i] = {};
    for (size_t row = 0; row < step.size(); ++row) steps[i][row] = signs[row] * step[row];
  }
  if (count == 2) steps[2] = cross_unit(steps[0], steps[1]);
  VOXLOOM_CHECK(count >= 2,
                ErrorCode::kUnsupported,
                "'{}': must have at least two axes in space, got {}",
                file,
                count);
  Vec3 origin{};
  if (const auto it = header.fields.find("space origin"); it != header.fields.end()) {
    const FieldName where{file, "space origin"};
    const auto vectors = parse_vectors(it->second, where);
    const bool good =
        vectors.size() == 1 && vectors[0] && vectors[0]->size() == axes[0].step->size();
    VOXLOOM_CHECK(good,
                  ErrorCode::kDataCorrupt,
                  "{} must be one vector like the directions, got '{}'",
                  where.text(),
                  it->second);
    // "(nan,nan,nan)" is how some writers say that it isn't known.
    const auto& o = *vectors[0];
    const bool known = std::none_of(o.begin(), o.end(), [](double v) { return std::isnan(v); });
    for (size_t row = 0; known && row < o.size(); ++row) origin[row] = signs[row] * o[row];
  }
  return geometry_from_steps(size, steps, origin, file);
}

}  // namespace voxloom::io
