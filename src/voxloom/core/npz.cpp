#include "voxloom/core/npz.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "voxloom/core/zip_writer.h"

namespace voxloom {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kMaxHeader = 1 << 16, kMaxDimensions = 64;

struct Dtype {
  char order = '|', kind = 'f';
  int64_t item_size = 0;  ///< Bytes of one element.
  int64_t swap_size = 1;  ///< Bytes that are swapped together when big-endian.
};

struct Header {
  std::string descr;
  bool fortran = false;
  std::vector<int64_t> shape;
};

/// The header is a Python dict display with three fixed keys; nothing more is accepted.
class HeaderScanner {
 public:
  HeaderScanner(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  Header scan() {
    Header header;
    bool seen[3] = {false, false, false};
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr") {
        VOXLOOM_CHECK(peek() != '[',
                      ErrorCode::kUnsupported,
                      "{}: structured element types are not read",
                      where_);
        header.descr = quoted();
        seen[0] = true;
      } else if (key == "fortran_order") {
        header.fortran = truth();
        seen[1] = true;
      } else if (key == "shape") {
        header.shape = tuple();
        seen[2] = true;
      } else {
        fail();
      }
      if (!accept(',') && peek() != '}') fail();
    }
    skip();
    if (at_ != text_.size() || !seen[0] || !seen[1] || !seen[2]) fail();
    return header;
  }

 private:
  [[noreturn]] void fail() const {
    throw Error(ErrorCode::kDataCorrupt, where_ + ": its header is damaged");
  }
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  char peek() {
    skip();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool accept(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail();
  }
  std::string quoted() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') fail();
    const size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) fail();
    std::string value(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return value;
  }
  bool truth() {
    skip();
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(at_, word.size()) == word) {
        at_ += word.size();
        return value;
      }
    }
    fail();
  }
  std::vector<int64_t> tuple() {
    std::vector<int64_t> values;
    expect('(');
    while (!accept(')')) {
      if (peek() < '0' || peek() > '9' || values.size() == kMaxDimensions) fail();
      int64_t value = 0;
      while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') {
        if (value > (std::numeric_limits<int64_t>::max() - 9) / 10) fail();
        value = value * 10 + (text_[at_++] - '0');
      }
      accept('L');  // Python 2
      values.push_back(value);
      if (!accept(',') && peek() != ')') fail();
    }
    return values;
  }

  std::string_view text_;
  const std::string& where_;
  size_t at_ = 0;
};

Dtype parse_dtype(std::string_view descr, const std::string& where) {
  const auto unsupported = [&]() -> Error {
    return Error(ErrorCode::kUnsupported,
                 format("{}: element type '{}' is not read", where, descr));
  };
  if (descr.size() < 3 || descr.size() > 12) throw unsupported();
  Dtype type{descr[0], descr[1], 0, 1};
  if (std::string_view("<>|=").find(type.order) == std::string_view::npos) throw unsupported();
  for (const char c : descr.substr(2)) {
    if (c < '0' || c > '9') throw unsupported();
    type.item_size = type.item_size * 10 + (c - '0');
  }
  const int64_t n = type.item_size;
  bool known = false;
  switch (type.kind) {
    case 'b':
      known = n == 1;
      break;
    case 'i':
    case 'u':
      known = n == 1 || n == 2 || n == 4 || n == 8;
      type.swap_size = n;
      break;
    case 'f':
      known = n == 2 || n == 4 || n == 8;
      type.swap_size = n;
      break;
    case 'c':
      known = n == 8 || n == 16;
      type.swap_size = n / 2;
      break;
    case 'S':
    case 'V':
      known = true;
      break;
    case 'U':
      known = true;
      type.item_size = n * 4;
      type.swap_size = 4;
      break;
    default:
      break;
  }
  if (!known) throw unsupported();
  if (type.order == '=') type.order = '<';
  return type;
}

int64_t checked_count(const std::vector<int64_t>& shape, const std::string& where) {
  int64_t count = 1;
  bool empty = false;
  for (const int64_t extent : shape) {
    empty = empty || extent == 0;
    const int64_t factor = std::max<int64_t>(extent, 1);
    VOXLOOM_CHECK(extent >= 0 && count <= std::numeric_limits<int64_t>::max() / factor,
                  ErrorCode::kDataCorrupt,
                  "{}: shape {} is not possible",
                  where,
                  shape);
    count *= factor;
  }
  return empty ? 0 : count;
}

/// Column-major to row-major: the source index is kept while the target runs on.
std::vector<std::byte> to_row_major(std::span<const std::byte> in,
                                    const std::vector<int64_t>& shape,
                                    size_t item_size) {
  std::vector<std::byte> out(in.size());
  std::vector<int64_t> index(shape.size(), 0), stride(shape.size(), 1);
  for (size_t d = 1; d < shape.size(); ++d) stride[d] = stride[d - 1] * shape[d - 1];
  int64_t source = 0;
  for (size_t target = 0; target + item_size <= out.size(); target += item_size) {
    std::memcpy(&out[target], &in[static_cast<size_t>(source) * item_size], item_size);
    for (size_t d = shape.size(); d-- > 0;) {
      source += stride[d];
      if (++index[d] < shape[d]) break;
      source -= stride[d] * shape[d];
      index[d] = 0;
    }
  }
  return out;
}

void swap_bytes(std::vector<std::byte>& bytes, size_t group) {
  for (size_t at = 0; at + group <= bytes.size(); at += group) {
    std::reverse(bytes.begin() + static_cast<ptrdiff_t>(at),
                 bytes.begin() + static_cast<ptrdiff_t>(at + group));
  }
}

std::vector<std::byte> copy_of(std::span<const std::byte> bytes) {
  return {bytes.begin(), bytes.end()};
}

}  // namespace

int64_t NamedArray::element_count() const {
  return checked_count(shape, "array '" + name + "'");
}

NpyHeader parse_npy_header(std::span<const std::byte> start, const std::string& where) {
  const auto b = start;
  const auto byte_at = [&](size_t i) { return std::to_integer<size_t>(b[i]); };
  VOXLOOM_CHECK(b.size() >= 10 && std::memcmp(b.data(), kMagic.data(), kMagic.size()) == 0,
                ErrorCode::kDataCorrupt,
                "{}: must begin as an .npy file",
                where);
  const size_t major = byte_at(6);
  VOXLOOM_CHECK(major >= 1 && major <= 3,
                ErrorCode::kUnsupported,
                "{}: .npy format must be 1, 2 or 3, got {}",
                where,
                major);
  const size_t prefix = major == 1 ? 10 : 12;
  VOXLOOM_CHECK(b.size() >= prefix, ErrorCode::kDataCorrupt, "{}: is cut short", where);
  size_t header_size = byte_at(8) | byte_at(9) << 8;
  if (major > 1) header_size |= byte_at(10) << 16 | byte_at(11) << 24;
  VOXLOOM_CHECK(header_size <= kMaxHeader && header_size <= b.size() - prefix,
                ErrorCode::kDataCorrupt,
                "{}: its header of {} bytes is too long for the file or above {}",
                where,
                header_size,
                kMaxHeader);
  const std::string_view text(reinterpret_cast<const char*>(b.data() + prefix), header_size);
  Header header = HeaderScanner(text, where).scan();
  VOXLOOM_CHECK(header.descr.find('O') == std::string::npos,
                ErrorCode::kUnsupported,
                "{}: holds pickled Python objects, which are never loaded",
                where);
  return {std::move(header.descr), header.fortran, std::move(header.shape), prefix + header_size};
}

NamedArray parse_npy(const SharedBytes& file, std::string name) {
  const std::string where = "array '" + name + "'";
  NpyHeader header = parse_npy_header(file.bytes, where);
  const Dtype type = parse_dtype(header.dtype, where);
  const int64_t count = checked_count(header.shape, where);
  const uint64_t data_size = file.bytes.size() - header.data_offset;
  VOXLOOM_CHECK(type.item_size == 0 ? data_size == 0
                                    : data_size % static_cast<uint64_t>(type.item_size) == 0 &&
                                          data_size / static_cast<uint64_t>(type.item_size) ==
                                              static_cast<uint64_t>(count),
                ErrorCode::kDataCorrupt,
                "{}: shape {} of '{}' does not fit {} bytes of data",
                where,
                header.shape,
                header.dtype,
                data_size);

  NamedArray array{std::move(name), std::move(header.dtype), std::move(header.shape), {}};
  array.dtype[0] = type.swap_size == 1 ? '|' : '<';
  array.data = file.part(header.data_offset, data_size);
  const auto item = static_cast<size_t>(type.item_size);
  if (header.fortran_order && array.shape.size() > 1 && count > 0 && item > 0) {
    array.data = own_bytes(to_row_major(array.data.bytes, array.shape, item));
  }
  if (type.order == '>' && type.swap_size > 1) {
    auto swapped = copy_of(array.data.bytes);
    swap_bytes(swapped, static_cast<size_t>(type.swap_size));
    array.data = own_bytes(std::move(swapped));
  }
  const auto address = reinterpret_cast<uintptr_t>(array.data.bytes.data());
  if (address % static_cast<uintptr_t>(type.swap_size) != 0) {
    array.data = own_bytes(copy_of(array.data.bytes));
  }
  return array;
}

NamedArray read_npy(const std::filesystem::path& path) {
  try {
    return parse_npy(map_file(path), path.stem().string());
  } catch (const Error& e) {
    if (e.code() == ErrorCode::kNotFound) throw;
    throw e.with_context("file '" + path.string() + "'");
  }
}

NpzFile NpzFile::open(const std::filesystem::path& path, const ZipLimits& limits) {
  return NpzFile(ZipReader::open(path, limits));
}

NpzFile::NpzFile(ZipReader zip) : zip_(std::move(zip)) {
  for (const ZipReader::Entry& entry : zip_.entries()) {
    if (entry.name.size() > 4 && entry.name.ends_with(".npy")) {
      names_.push_back(entry.name.substr(0, entry.name.size() - 4));
    }
  }
}

bool NpzFile::contains(std::string_view name) const {
  return std::find(names_.begin(), names_.end(), name) != names_.end();
}

NamedArray NpzFile::read(std::string_view name) const {
  if (!contains(name)) {
    std::string list;
    for (const std::string& n : names_) list += (list.empty() ? "'" : ", '") + n + "'";
    throw Error(ErrorCode::kDataCorrupt,
                format("npz file '{}': must hold an array '{}', got {}",
                       zip_.name(),
                       name,
                       list.empty() ? "none" : list));
  }
  try {
    return parse_npy(zip_.read(std::string(name) + ".npy"), std::string(name));
  } catch (const Error& e) {
    throw e.with_context("npz file '" + zip_.name() + "'");
  }
}

std::vector<NamedArray> read_npz(const std::filesystem::path& path) {
  const NpzFile file = NpzFile::open(path);
  std::vector<NamedArray> arrays;
  for (const std::string& name : file.names()) arrays.push_back(file.read(name));
  return arrays;
}

std::vector<std::byte> encode_npy(const NamedArray& array) {
  const std::string where = "array '" + array.name + "'";
  const Dtype type = parse_dtype(array.dtype, where);
  VOXLOOM_CHECK(type.order != '>' && static_cast<uint64_t>(array.element_count()) *
                                             static_cast<uint64_t>(type.item_size) ==
                                         array.data.bytes.size(),
                ErrorCode::kInvalidArgument,
                "{}: shape {} of '{}' does not fit {} bytes",
                where,
                array.shape,
                array.dtype,
                array.data.bytes.size());
  std::string shape;
  for (const int64_t extent : array.shape) shape += std::to_string(extent) + ", ";
  if (array.shape.size() > 1) shape.resize(shape.size() - 2);
  if (array.shape.size() == 1) shape.pop_back();
  std::string text =
      "{'descr': '" + array.dtype + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  // The data begins at a multiple of 64; the header ends with a line feed.
  const bool wide = text.size() + 64 + 10 > 0xffff;
  const size_t prefix = wide ? 12 : 10;
  text.append(63 - (prefix + text.size()) % 64, ' ');
  text += '\n';
  std::vector<std::byte> out;
  out.reserve(prefix + text.size() + array.data.bytes.size());
  const auto put = [&](size_t value) { out.push_back(static_cast<std::byte>(value & 0xff)); };
  for (const char c : kMagic) put(static_cast<unsigned char>(c));
  put(wide ? 2 : 1);
  put(0);
  for (size_t i = 0; i < prefix - 8; ++i) put(text.size() >> (8 * i));
  for (const char c : text) put(static_cast<unsigned char>(c));
  out.insert(out.end(), array.data.bytes.begin(), array.data.bytes.end());
  return out;
}

void write_npy(const std::filesystem::path& path, const NamedArray& array, Overwrite overwrite) {
  AtomicFile file(path, overwrite);
  file.write(encode_npy(array));
  file.commit();
}

void write_npz(const std::filesystem::path& path,
               std::span<const NamedArray> arrays,
               Overwrite overwrite,
               NpzCompression compression) {
  AtomicFile file(path, overwrite);
  ZipWriter zip([&file](std::span<const std::byte> bytes) { file.write(bytes); });
  const auto method = compression == NpzCompression::kDeflated ? ZipWriter::Method::kDeflated
                                                               : ZipWriter::Method::kStored;
  for (const NamedArray& array : arrays) {
    zip.add(array.name + ".npy", encode_npy(array), method, 64);
  }
  zip.finish();
  file.commit();
}

}  // namespace voxloom
