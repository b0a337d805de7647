#include "voxloom/io/dicom_dcmtk.h"

#include <cmath>
#include <mutex>

#include <dcmtk/dcmdata/dcspchrs.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>
#include <dcmtk/oflog/oflog.h>
#include <zlib.h>

#include "voxloom/core/error.h"
#include "voxloom/core/utf8.h"
#include "voxloom/io/dicom_guard.h"

namespace voxloom::io::dicom {
namespace {

// Values above this stay on disk until they are asked for.
constexpr Uint32 kMaxReadLength = 4096;

std::string to_utf8(DcmItem& item, std::string value) {
  bool ascii = true;
  for (const char c : value) ascii = ascii && static_cast<unsigned char>(c) < 0x80;
  if (ascii) return value;
  OFString charset, converted;
  item.findAndGetOFStringArray(DCM_SpecificCharacterSet, charset, OFTrue);
  DcmSpecificCharacterSet converter;
  if (converter.selectCharacterSet(charset).good() &&
      converter.convertString(value.c_str(), value.size(), converted).good() &&
      is_utf8(converted.c_str())) {
    return converted.c_str();
  }
  if (is_utf8(value)) return value;
  for (char& c : value) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  return value;
}

std::string tag_name(const DcmTagKey& key) {
  DcmTag tag(key);
  return tag.getTagName();
}

}  // namespace

void initialise() {
  static std::once_flag once;
  std::call_once(once, [] {
    OFLog::configure(OFLogger::OFF_LOG_LEVEL);
    DJDecoderRegistration::registerCodecs(
        EDC_photometricInterpretation, EUC_default, EPC_colorByPixel);
    DJLSDecoderRegistration::registerCodecs(EJLSUC_default, EJLSPC_colorByPixel);
  });
  VOXLOOM_CHECK(dcmDataDict.isDictionaryLoaded(),
                ErrorCode::kUnavailable,
                "dicom: the data dictionary must be installed at '{}' (package libdcmtk17), or "
                "DCMDICTPATH must name it",
                DCM_DICT_DEFAULT_PATH);
}

bool is_compressed(E_TransferSyntax syntax) {
  switch (syntax) {
    case EXS_LittleEndianImplicit:
    case EXS_LittleEndianExplicit:
    case EXS_BigEndianExplicit:
    case EXS_DeflatedLittleEndianExplicit:
      return false;
    default:
      return true;
  }
}

std::string quoted_name(const std::filesystem::path& path) {
  return "'" + path.filename().string() + "'";
}

std::unique_ptr<DcmFileFormat> load(const std::filesystem::path& path, Extent extent) {
  initialise();
  VOXLOOM_CHECK(std::filesystem::is_regular_file(path),
                ErrorCode::kNotFound,
                "{}: must be a file that exists",
                quoted_name(path));
  check_dicom_structure(path);
  auto file = std::make_unique<DcmFileFormat>();
  const OFFilename name(path.c_str());
  const OFCondition status =
      extent == Extent::kHeader
          ? file->loadFileUntilTag(
                name, EXS_Unknown, EGL_noChange, kMaxReadLength, ERM_autoDetect, DCM_PixelData)
          : file->loadFile(name, EXS_Unknown, EGL_noChange, kMaxReadLength, ERM_autoDetect);
  VOXLOOM_CHECK(status.good(),
                ErrorCode::kDataCorrupt,
                "{}: must be a complete DICOM file, got '{}' from the parser",
                quoted_name(path),
                status.text());
  return file;
}

std::string text(DcmItem& item, const DcmTagKey& tag) {
  OFString value;
  if (item.findAndGetOFString(tag, value).bad()) return {};
  std::string s(value.c_str());
  const auto first = s.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return {};
  s = s.substr(first, s.find_last_not_of(" \t\r\n") - first + 1);
  return to_utf8(item, std::move(s));
}

std::optional<std::vector<double>> numbers(DcmItem& item,
                                           const DcmTagKey& tag,
                                           size_t count,
                                           const std::string& where) {
  DcmElement* element = nullptr;
  if (item.findAndGetElement(tag, element).bad() || element == nullptr) return std::nullopt;
  if (element->getLength() == 0) return std::nullopt;
  if (element->getVM() < count) return std::nullopt;
  std::vector<double> out(count);
  for (size_t i = 0; i < count; ++i) {
    double value = std::nan("");
    // Through text for decimal strings, by type for FD, FL, US, SS, UL, SL.
    if (element->getFloat64(value, static_cast<unsigned long>(i)).bad()) {
      Float32 f = 0;
      Uint16 us = 0;
      Sint16 ss = 0;
      Uint32 ul = 0;
      Sint32 sl = 0;
      const auto k = static_cast<unsigned long>(i);
      if (element->getFloat32(f, k).good()) {
        value = static_cast<double>(f);
      } else if (element->getUint16(us, k).good()) {
        value = us;
      } else if (element->getSint16(ss, k).good()) {
        value = ss;
      } else if (element->getUint32(ul, k).good()) {
        value = ul;
      } else if (element->getSint32(sl, k).good()) {
        value = sl;
      }
    }
    VOXLOOM_CHECK(std::isfinite(value),
                  ErrorCode::kDataCorrupt,
                  "{}: {} must be {} finite numbers",
                  where,
                  tag_name(tag),
                  count);
    out[i] = value;
  }
  return out;
}

std::optional<double> number(DcmItem& item, const DcmTagKey& tag, const std::string& where) {
  const auto all = numbers(item, tag, 1, where);
  return all ? std::optional(all->front()) : std::nullopt;
}

int64_t integer(DcmItem& item,
                const DcmTagKey& tag,
                int64_t lowest,
                int64_t highest,
                int64_t fallback,
                const std::string& where) {
  const auto value = number(item, tag, where);
  if (!value) return fallback;
  VOXLOOM_CHECK(*value >= static_cast<double>(lowest) && *value <= static_cast<double>(highest) &&
                    *value == std::floor(*value),
                ErrorCode::kDataCorrupt,
                "{}: {} must be a whole number within [{}, {}], got {}",
                where,
                tag_name(tag),
                lowest,
                highest,
                *value);
  return static_cast<int64_t>(*value);
}

DcmItem* item_at(DcmItem& parent, const DcmTagKey& sequence, unsigned long index) {
  DcmSequenceOfItems* items = nullptr;
  if (parent.findAndGetSequence(sequence, items).bad() || items == nullptr) return nullptr;
  return index < items->card() ? items->getItem(index) : nullptr;
}

}  // namespace voxloom::io::dicom
