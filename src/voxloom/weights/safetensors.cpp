#include "voxloom/weights/safetensors.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <optional>

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/weights/strided.h"

namespace voxloom::weights {
namespace {

constexpr uint64_t kMaxHeader = 100'000'000;
constexpr std::string_view kMetadataKey = "__metadata__";

// Index: DType.
constexpr std::string_view kTypeNames[] = {
    "F32", "F64", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL"};

std::optional<DType> dtype_of(std::string_view text) {
  for (size_t i = 0; i < std::size(kTypeNames); ++i) {
    if (kTypeNames[i] == text) return static_cast<DType>(i);
  }
  return std::nullopt;
}

struct Item {
  std::string name, dtype;
  std::vector<int64_t> shape;
  std::vector<uint64_t> offsets;
  bool has_dtype = false, has_shape = false, has_offsets = false;
};

/// Takes the header event by event, so that a hostile one costs no more than what it may hold.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::vector<Item> items;
  std::map<std::string, std::string> metadata;
  std::string problem;  ///< Why parsing stopped.

  bool null() override { return fail("null is not expected"); }
  bool boolean(bool) override { return fail("true or false is not expected"); }
  bool number_integer(number_integer_t) override { return fail("numbers can't be negative"); }
  bool number_float(number_float_t, const string_t&) override {
    return fail("numbers must be integers");
  }
  bool binary(binary_t&) override { return fail("binary data is not expected"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (state_ == State::kShape) {
      if (items.back().shape.size() == 64 ||
          value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
        return fail("a shape is not possible");
      }
      items.back().shape.push_back(static_cast<int64_t>(value));
      return true;
    }
    if (state_ == State::kOffsets) {
      if (items.back().offsets.size() == 2) return fail("data_offsets must be two numbers");
      items.back().offsets.push_back(value);
      return true;
    }
    return fail("a number is not expected here");
  }

  bool string(string_t& value) override {
    if (state_ == State::kMetadataValue) {
      if (!metadata.emplace(key_, value).second) return fail("metadata has a key twice");
      state_ = State::kMetadata;
      return true;
    }
    if (state_ != State::kDtype) return fail("a text is not expected here");
    items.back().dtype = value;
    state_ = State::kItem;
    return true;
  }

  bool start_object(size_t) override {
    switch (state_) {
      case State::kStart:
        state_ = State::kTop;
        return true;
      case State::kTopValue:
        if (key_ == kMetadataKey) {
          if (metadata_seen_) return fail("metadata appears twice");
          metadata_seen_ = true;
          state_ = State::kMetadata;
        } else {
          items.emplace_back();
          items.back().name = key_;
          state_ = State::kItem;
        }
        return true;
      default:
        return fail("an object is not expected here");
    }
  }

  bool key(string_t& name) override {
    key_ = name;
    if (state_ == State::kTop) {
      state_ = State::kTopValue;
      return true;
    }
    if (state_ == State::kMetadata) {
      state_ = State::kMetadataValue;
      return true;
    }
    Item& item = items.back();
    const auto once = [&](bool& seen, State next) {
      if (seen) return fail("tensor '" + item.name + "' has '" + name + "' twice");
      seen = true;
      state_ = next;
      return true;
    };
    if (name == "dtype") return once(item.has_dtype, State::kDtype);
    if (name == "shape") return once(item.has_shape, State::kShapeValue);
    if (name == "data_offsets") return once(item.has_offsets, State::kOffsetsValue);
    return fail("tensor '" + item.name + "' has an unknown key '" + name + "'");
  }

  bool end_object() override {
    if (state_ == State::kItem) {
      const Item& item = items.back();
      if (!item.has_dtype || !item.has_shape || item.offsets.size() != 2) {
        return fail("tensor '" + item.name + "' must have dtype, shape and data_offsets");
      }
    }
    state_ = state_ == State::kTop ? State::kEnd : State::kTop;
    return true;
  }

  bool start_array(size_t) override {
    if (state_ == State::kShapeValue) {
      state_ = State::kShape;
    } else if (state_ == State::kOffsetsValue) {
      state_ = State::kOffsets;
    } else {
      return fail("an array is not expected here");
    }
    return true;
  }
  bool end_array() override {
    state_ = State::kItem;
    return true;
  }

  bool parse_error(size_t at, const std::string&, const nlohmann::json::exception&) override {
    return fail(format("it is no JSON from byte {} on", at));
  }

 private:
  enum class State {
    kStart,
    kTop,
    kTopValue,
    kMetadata,
    kMetadataValue,
    kItem,
    kDtype,
    kShapeValue,
    kShape,
    kOffsetsValue,
    kOffsets,
    kEnd,
  };
  bool fail(std::string why) {
    if (problem.empty()) problem = std::move(why);
    return false;
  }

  State state_ = State::kStart;
  std::string key_;
  bool metadata_seen_ = false;
};

uint64_t header_length(std::span<const std::byte> bytes) {
  uint64_t length = 0;
  for (size_t i = 8; i-- > 0;) length = length << 8 | std::to_integer<uint64_t>(bytes[i]);
  return length;
}

/// The data must be covered by the tensors without gap or overlap.
void check_coverage(const std::vector<Item>& items, uint64_t data_size, const std::string& name) {
  std::vector<size_t> order(items.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return items[a].offsets < items[b].offsets;
  });
  uint64_t expected = 0;
  for (const size_t i : order) {
    const Item& item = items[i];
    VOXLOOM_CHECK(
        item.offsets[0] == expected && item.offsets[1] >= expected && item.offsets[1] <= data_size,
        ErrorCode::kDataCorrupt,
        "safetensors file '{}': tensor '{}' must lie at {} or after and inside the {} "
        "data bytes without gap or overlap, got {} to {}",
        name,
        item.name,
        expected,
        data_size,
        item.offsets[0],
        item.offsets[1]);
    expected = item.offsets[1];
  }
  VOXLOOM_CHECK(expected == data_size,
                ErrorCode::kDataCorrupt,
                "safetensors file '{}': its tensors need {} data bytes, got {}",
                name,
                expected,
                data_size);
}

}  // namespace

bool looks_like_safetensors(std::span<const std::byte> bytes) {
  return bytes.size() >= 10 && bytes[8] == std::byte{'{'} &&
         header_length(bytes) <= bytes.size() - 8;
}

Safetensors parse_safetensors(const SharedBytes& bytes, const std::string& name) {
  const uint64_t size = bytes.bytes.size();
  const uint64_t length = size >= 8 ? header_length(bytes.bytes) : 0;
  VOXLOOM_CHECK(size >= 8 && length <= size - 8 && length <= kMaxHeader,
                ErrorCode::kDataCorrupt,
                "safetensors file '{}': its header of {} bytes must fit into the file's {} and "
                "into {}",
                name,
                length,
                size,
                kMaxHeader);
  const SharedBytes text = bytes.part(8, length);
  const auto* begin = reinterpret_cast<const char*>(text.bytes.data());
  HeaderReader header;
  const bool parsed = length > 0 && nlohmann::json::sax_parse(begin, begin + length, &header);
  VOXLOOM_CHECK(parsed && header.problem.empty(),
                ErrorCode::kDataCorrupt,
                "safetensors file '{}': its header is not valid: {}",
                name,
                length == 0 ? "it is empty" : header.problem);

  const SharedBytes data = bytes.part(8 + length, size - 8 - length);
  check_coverage(header.items, data.bytes.size(), name);
  Safetensors file;
  file.metadata = std::move(header.metadata);
  // Only misaligned tensors are copied, each at most once, so the file's size is the bound.
  CopyBudget budget(data.bytes.size());
  for (Item& item : header.items) {
    const std::string where = format("safetensors file '{}': tensor '{}'", name, item.name);
    const auto dtype = dtype_of(item.dtype);
    VOXLOOM_CHECK(dtype.has_value(),
                  ErrorCode::kUnsupported,
                  "{}: element type '{}' is not read",
                  where,
                  item.dtype);
    const auto count = static_cast<uint64_t>(element_count_of(item.shape, where));
    const uint64_t extent = item.offsets[1] - item.offsets[0];
    const size_t width = bytes_per_element(*dtype);
    VOXLOOM_CHECK(extent % width == 0 && extent / width == count,
                  ErrorCode::kDataCorrupt,
                  "{}: shape {} of {} does not fit {} bytes",
                  where,
                  item.shape,
                  item.dtype,
                  extent);
    StridedTensor tensor{*dtype, data.part(item.offsets[0], extent), 0, item.shape, {}};
    tensor.stride.resize(item.shape.size());
    int64_t stride = 1;
    for (size_t d = item.shape.size(); d-- > 0;) {
      tensor.stride[d] = stride;
      stride *= std::max<int64_t>(item.shape[d], 1);
    }
    try {
      file.tensors.add(std::move(item.name), to_contiguous(tensor, where, budget));
    } catch (const Error& e) {
      if (std::string_view(e.what()).starts_with(where)) throw;
      throw e.with_context(format("safetensors file '{}'", name));
    }
  }
  return file;
}

Safetensors read_safetensors(const std::filesystem::path& path) {
  return parse_safetensors(map_file(path), path.string());
}

void write_safetensors(const std::filesystem::path& path,
                       const StateDict& tensors,
                       const std::map<std::string, std::string>& metadata,
                       Overwrite overwrite,
                       TensorOrder order) {
  std::vector<const StateDict::Entry*> entries;
  for (const auto& entry : tensors.entries()) entries.push_back(&entry);
  if (order == TensorOrder::kAligned) {
    std::sort(entries.begin(), entries.end(), [](const auto* a, const auto* b) {
      const size_t wa = bytes_per_element(a->tensor.dtype), wb = bytes_per_element(b->tensor.dtype);
      return wa != wb ? wa > wb : a->name < b->name;
    });
  }
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[std::string(kMetadataKey)] = metadata;
  // ordered_json looks for each key from the start; the pairs are known to differ.
  auto& pairs = header.get_ref<nlohmann::ordered_json::object_t&>();
  uint64_t position = 0;
  for (const auto* entry : entries) {
    const TensorView& t = entry->tensor;
    const size_t width = bytes_per_element(t.dtype);
    VOXLOOM_CHECK(entry->name != kMetadataKey &&
                      static_cast<uint64_t>(t.element_count()) * width == t.bytes.size(),
                  ErrorCode::kInvalidArgument,
                  "safetensors file '{}': tensor '{}' of shape {} and {} bytes can't be written",
                  path.string(),
                  entry->name,
                  t.shape,
                  t.bytes.size());
    nlohmann::ordered_json item;
    item["dtype"] = kTypeNames[static_cast<size_t>(t.dtype)];
    item["shape"] = t.shape;
    item["data_offsets"] = {position, position + t.bytes.size()};
    pairs.emplace_back(entry->name, std::move(item));
    position += t.bytes.size();
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorCode::kInvalidArgument,
                format("safetensors file '{}': names and metadata must be UTF-8", path.string()));
  }
  // The data begins at a multiple of 64 bytes.
  text.append((64 - (8 + text.size()) % 64) % 64, ' ');
  VOXLOOM_CHECK(text.size() <= kMaxHeader,
                ErrorCode::kUnsupported,
                "safetensors file '{}': its header must have at most {} bytes, got {}",
                path.string(),
                kMaxHeader,
                text.size());

  AtomicFile file(path, overwrite);
  std::byte length[8];
  for (size_t i = 0; i < 8; ++i) length[i] = static_cast<std::byte>(text.size() >> (8 * i));
  file.write(std::span<const std::byte>(length));
  file.write(text);
  for (const auto* entry : entries) file.write(entry->tensor.bytes);
  file.commit();
}

}  // namespace voxloom::weights
