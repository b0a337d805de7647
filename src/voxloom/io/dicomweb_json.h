// The DICOM JSON model (PS3.18 annex F): {"0020000E": {"vr": "UI", "Value": ["1.2.3"]}, ...}.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace voxloom::io {

struct DicomJsonObject;

/// One element: its values as text (numbers in their shortest form, a person's name as its first
/// component group), or the items of a sequence. An empty value is an empty text.
struct DicomJsonElement {
  std::string vr;
  std::vector<std::string> values;
  std::vector<DicomJsonObject> items;
  bool operator==(const DicomJsonElement&) const;
};

/// One data set. Tags are eight hexadecimal digits in capitals: "0020000E".
struct DicomJsonObject {
  std::map<std::string, DicomJsonElement, std::less<>> elements;

  /// The first value; empty where there is none.
  [[nodiscard]] std::string text(std::string_view tag) const;
  /// The first value as a whole number; nullopt where it is none.
  [[nodiscard]] std::optional<int64_t> integer(std::string_view tag) const;
  /// The items of a sequence; empty where it is absent.
  [[nodiscard]] const std::vector<DicomJsonObject>& items(std::string_view tag) const;
  bool operator==(const DicomJsonObject&) const = default;
};

inline bool DicomJsonElement::operator==(const DicomJsonElement& o) const {
  return vr == o.vr && values == o.values && items == o.items;
}

struct DicomJsonLimits {
  size_t max_bytes = size_t{256} << 20;
  size_t max_depth = 16;             ///< Of sequences in sequences.
  size_t max_elements = 20'000'000;  ///< Elements, values and items together.
};

/// Reads an array of data sets, or a single one. Bulk data, inline binary and what the model does
/// not know is passed over. Throws kDataCorrupt (saying where), kUnsupported beyond a limit; the
/// message holds no value of the text.
[[nodiscard]] std::vector<DicomJsonObject> parse_dicom_json(std::string_view text,
                                                            const DicomJsonLimits& limits = {});

}  // namespace voxloom::io
