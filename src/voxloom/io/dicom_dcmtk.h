#pragma once

// The only header that includes DCMTK; for .cpp files of this layer.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <dcmtk/config/osconfig.h>  // first, as DCMTK asks
#include <dcmtk/dcmdata/dctk.h>

namespace voxloom::io::dicom {

/// Registers the codecs, silences DCMTK's logger (its lines may quote patient data) and loads the
/// data dictionary, once. Throws kUnavailable when the dictionary is not installed.
void initialise();

/// Parses a file: up to the pixels, or everything (large values stay on disk until asked for).
/// Throws kNotFound, kDataCorrupt.
enum class Extent { kHeader, kWhole };
[[nodiscard]] std::unique_ptr<DcmFileFormat> load(const std::filesystem::path& path, Extent extent);

/// True for every syntax whose pixels are encapsulated; deflated data sets are not.
[[nodiscard]] bool is_compressed(E_TransferSyntax syntax);

/// "'slice.dcm'": how messages name a file, without folders that may name a patient.
[[nodiscard]] std::string quoted_name(const std::filesystem::path& path);

/// First value as trimmed text, UTF-8 or, where that fails, ASCII with '?'; empty when absent.
[[nodiscard]] std::string text(DcmItem& item, const DcmTagKey& tag);

/// Decimal or binary numbers; nullopt when absent, empty or fewer than `count`.
/// Throws kDataCorrupt, naming `where` and the attribute, when one is not a finite number.
[[nodiscard]] std::optional<std::vector<double>> numbers(DcmItem& item,
                                                         const DcmTagKey& tag,
                                                         size_t count,
                                                         const std::string& where);
[[nodiscard]] std::optional<double> number(DcmItem& item,
                                           const DcmTagKey& tag,
                                           const std::string& where);
/// A whole number within [lowest, highest]; `fallback` when absent.
[[nodiscard]] int64_t integer(DcmItem& item,
                              const DcmTagKey& tag,
                              int64_t lowest,
                              int64_t highest,
                              int64_t fallback,
                              const std::string& where);

/// Item `index` of a sequence, or nullptr.
[[nodiscard]] DcmItem* item_at(DcmItem& parent, const DcmTagKey& sequence, unsigned long index = 0);

}  // namespace voxloom::io::dicom
