#include "voxloom/io/dicom_pixels.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <dcmtk/dcmdata/dcfcache.h>
#include <dcmtk/dcmdata/dcpixel.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>

#include "voxloom/core/error.h"
#include "voxloom/io/dicom_dcmtk.h"
#include "voxloom/io/dicom_j2k.h"
#include "voxloom/io/dicom_rle.h"

namespace voxloom::io {
namespace {

using image::PixelType;

bool is_jpeg2000(E_TransferSyntax syntax) {
  return syntax == EXS_JPEG2000LosslessOnly || syntax == EXS_JPEG2000;
}

bool is_decodable(E_TransferSyntax syntax) {
  switch (syntax) {
    case EXS_RLELossless:
    case EXS_JPEGProcess1:
    case EXS_JPEGProcess2_4:
    case EXS_JPEGProcess14:
    case EXS_JPEGProcess14SV1:
    case EXS_JPEGLSLossless:
    case EXS_JPEGLSLossy:
    case EXS_JPEG2000LosslessOnly:
    case EXS_JPEG2000:
      return true;
    default:
      return !dicom::is_compressed(syntax);
  }
}

// Stored value of a raw word: the bits above and below are overlays or noise.
class BitField {
 public:
  explicit BitField(const DicomPixelFormat& f)
      : shift_(f.high_bit + 1 - f.bits_stored),
        unused_(64 - f.bits_stored),
        is_signed_(f.is_signed) {}

  int64_t operator()(uint64_t word) const {
    const uint64_t top = (word >> shift_) << unused_;
    return is_signed_ ? static_cast<int64_t>(top) >> unused_ : static_cast<int64_t>(top >> unused_);
  }

 private:
  int shift_, unused_;
  bool is_signed_;
};

template <class Word>
void convert_grey(std::span<const std::byte> raw,
                  const DicomPixelFormat& format,
                  const DicomFrame& frame,
                  PixelType type,
                  std::span<std::byte> out) {
  const BitField stored(format);
  const auto* in = reinterpret_cast<const Word*>(raw.data());
  const auto count = static_cast<size_t>(format.rows * format.columns);
  const bool identity = frame.slope == 1.0 && frame.intercept == 0.0;
  image::dispatch(type, [&](auto t) {
    using T = decltype(t);
    auto* to = reinterpret_cast<T*>(out.data());
    if (identity) {
      for (size_t i = 0; i < count; ++i) to[i] = static_cast<T>(stored(in[i]));
    } else {
      for (size_t i = 0; i < count; ++i) {
        to[i] = static_cast<T>(static_cast<double>(stored(in[i])) * frame.slope + frame.intercept);
      }
    }
  });
}

// ITU-R BT.601 luma in 16-bit fixed point.
uint32_t luma(uint32_t r, uint32_t g, uint32_t b) {
  return static_cast<uint32_t>((19595ULL * r + 38470ULL * g + 7471ULL * b + 0x8000ULL) >> 16);
}

template <class Word>
void convert_colour(std::span<const std::byte> raw,
                    const DicomPixelFormat& format,
                    const std::string& model,
                    std::span<std::byte> out) {
  const auto* in = reinterpret_cast<const Word*>(raw.data());
  auto* to = reinterpret_cast<Word*>(out.data());
  const auto count = static_cast<size_t>(format.rows * format.columns);
  const size_t pixel = format.planar ? 1 : 3, plane = format.planar ? count : 1;
  const bool first_is_luma = model.starts_with("YBR_FULL");
  for (size_t i = 0; i < count; ++i) {
    const Word* p = in + i * pixel;
    to[i] = first_is_luma ? p[0] : static_cast<Word>(luma(p[0], p[plane], p[2 * plane]));
  }
}

bool whole(double x) {
  return x == std::floor(x);
}

}  // namespace

PixelType dicom_volume_type(const std::vector<DicomObject>& objects) {
  const DicomPixelFormat& f = objects.front().pixels;
  bool identity = true, integers = true;
  bool is_signed = false;
  int bits = 8;
  double lowest = std::numeric_limits<double>::infinity(), highest = -lowest;
  for (const DicomObject& o : objects) {
    const auto& p = o.pixels;
    bits = std::max(bits, p.bits_allocated);
    is_signed = is_signed || p.is_signed;
    const double span = std::ldexp(1.0, p.bits_stored);
    const double lo = p.is_signed ? -span / 2 : 0, hi = (p.is_signed ? span / 2 : span) - 1;
    for (const DicomFrame& frame : o.frames) {
      identity = identity && frame.slope == 1.0 && frame.intercept == 0.0;
      integers = integers && whole(frame.slope) && whole(frame.intercept);
      const double a = lo * frame.slope + frame.intercept, b = hi * frame.slope + frame.intercept;
      lowest = std::min({lowest, a, b});
      highest = std::max({highest, a, b});
    }
  }
  if (f.samples > 1) return f.bits_allocated == 8 ? PixelType::kUint8 : PixelType::kUint16;
  const auto fits = [&](double lo, double hi) { return integers && lowest >= lo && highest <= hi; };
  if (identity) {
    for (const PixelType t : is_signed
                                 ? std::initializer_list<PixelType>{PixelType::kInt8,
                                                                    PixelType::kInt16,
                                                                    PixelType::kInt32}
                                 : std::initializer_list<PixelType>{
                                       PixelType::kUint8, PixelType::kUint16, PixelType::kUint32}) {
      const bool holds = image::dispatch(t, [&](auto v) {
        using Limits = std::numeric_limits<decltype(v)>;
        return fits(static_cast<double>(Limits::lowest()), static_cast<double>(Limits::max()));
      });
      if (holds && static_cast<int>(image::bytes_per_voxel(t)) * 8 >= bits) return t;
    }
  }
  if (fits(INT16_MIN, INT16_MAX)) return PixelType::kInt16;
  if (fits(INT32_MIN, INT32_MAX)) return PixelType::kInt32;
  return PixelType::kFloat32;
}

struct DicomPixels::State {
  DicomObject object;
  std::string name;
  std::unique_ptr<DcmFileFormat> file;
  DcmPixelData* pixels = nullptr;
  E_TransferSyntax syntax = EXS_Unknown;
  DcmFileCache cache;
  Uint32 next_fragment = 0;  // Where next_frame starts; the decoder looks for others itself.
  int64_t next_frame = 0;
  std::vector<unsigned long> frame_starts;  // First fragment of each, then the end.
  std::vector<std::byte> raw;

  DcmPixelSequence& sequence() {
    DcmPixelSequence* found = nullptr;
    E_TransferSyntax original = EXS_Unknown;
    const DcmRepresentationParameter* parameter = nullptr;
    pixels->getOriginalRepresentationKey(original, parameter);
    VOXLOOM_CHECK(pixels->getEncapsulatedRepresentation(original, parameter, found).good() && found,
                  ErrorCode::kDataCorrupt,
                  "{}: compressed pixels must be encapsulated",
                  name);
    return *found;
  }

  std::span<const std::byte> fragment(unsigned long index, DcmPixelItem*& item) {
    Uint8* bytes = nullptr;
    VOXLOOM_CHECK(sequence().getItem(item, index).good() && item->getUint8Array(bytes).good() &&
                      bytes != nullptr,
                  ErrorCode::kDataCorrupt,
                  "{}: pixel fragment {} must be readable: truncated?",
                  name,
                  index);
    return {reinterpret_cast<const std::byte*>(bytes), item->getLength()};
  }

  // One fragment a frame, or, in JPEG 2000, several: a code stream starts with SOC and SIZ, so its
  // frames are found whatever the offset table says.
  void find_frames() {
    const unsigned long end = sequence().card();
    const bool one_each = end == static_cast<unsigned long>(object.pixels.frames) + 1;
    for (unsigned long i = 1; i < end; ++i) {
      bool start = one_each || i == 1;
      if (!start && is_jpeg2000(syntax)) {
        DcmPixelItem* item = nullptr;
        const auto bytes = fragment(i, item);
        constexpr std::byte kStart[] = {
            std::byte{0xFF}, std::byte{0x4F}, std::byte{0xFF}, std::byte{0x51}};
        start = bytes.size() > 4 && std::equal(kStart, kStart + 4, bytes.begin());
        item->compact();
      }
      if (start) frame_starts.push_back(i);
    }
    VOXLOOM_CHECK(frame_starts.size() == static_cast<size_t>(object.pixels.frames),
                  ErrorCode::kDataCorrupt,
                  "{}: must hold {} compressed frames, got {}",
                  name,
                  object.pixels.frames,
                  frame_starts.size());
    frame_starts.push_back(end);
  }

  std::vector<std::byte> compressed(size_t frame) {
    if (frame_starts.empty()) find_frames();
    std::vector<std::byte> stream;
    for (unsigned long i = frame_starts[frame]; i < frame_starts[frame + 1]; ++i) {
      DcmPixelItem* item = nullptr;
      const auto bytes = fragment(i, item);
      stream.insert(stream.end(), bytes.begin(), bytes.end());
      item->compact();
    }
    return stream;
  }

  void read_jpeg2000(size_t frame) {
    const auto& f = object.pixels;
    const auto samples = decode_jpeg2000(compressed(frame), f.rows, f.columns, f.samples);
    const auto width = static_cast<size_t>(f.bits_allocated / 8);
    for (size_t i = 0; i < samples.size(); ++i) {
      std::memcpy(raw.data() + i * width, &samples[i], width);  // Little-endian low bytes.
    }
  }

  void read_native(int64_t frame, size_t frame_bytes) {
    const auto offset = static_cast<uint64_t>(frame) * frame_bytes;
    VOXLOOM_CHECK(offset + frame_bytes <= pixels->getLength(),
                  ErrorCode::kDataCorrupt,
                  "{}: frame {} must end within the {} bytes of pixels, got {}",
                  name,
                  frame + 1,
                  pixels->getLength(),
                  offset + frame_bytes);
    const OFCondition status = pixels->getPartialValue(raw.data(),
                                                       static_cast<Uint32>(offset),
                                                       static_cast<Uint32>(frame_bytes),
                                                       &cache,
                                                       gLocalByteOrder);
    check(status, frame);
  }

  void check(const OFCondition& status, int64_t frame) const {
    VOXLOOM_CHECK(status.good(),
                  ErrorCode::kDataCorrupt,
                  "{}: the pixels of frame {} must be complete, got '{}' from the decoder",
                  name,
                  frame + 1,
                  status.text());
  }
};

DicomPixels::DicomPixels(const DicomObject& object) : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.object = object;
  s.name = dicom::quoted_name(object.path);
  s.file = dicom::load(object.path, dicom::Extent::kWhole);
  DcmDataset& data = *s.file->getDataset();
  s.syntax = data.getOriginalXfer();
  const auto& f = object.pixels;
  VOXLOOM_CHECK(is_decodable(s.syntax),
                ErrorCode::kUnsupported,
                "{}: transfer syntax must be uncompressed, deflated, RLE, JPEG, JPEG-LS or JPEG "
                "2000, got '{}' ({})",
                s.name,
                DcmXfer(s.syntax).getXferName(),
                object.transfer_syntax_uid);
  VOXLOOM_CHECK(!(s.syntax == EXS_BigEndianExplicit && f.bits_allocated == 32),
                ErrorCode::kUnsupported,
                "{}: 32-bit pixels in big-endian order are ambiguous (word or byte order)",
                s.name);
  VOXLOOM_CHECK(f.bits_allocated >= 8,
                ErrorCode::kUnsupported,
                "{}: BitsAllocated must be 8, 16 or 32, got {}",
                s.name,
                f.bits_allocated);
  const bool grey = f.samples == 1 && f.photometric.starts_with("MONOCHROME");
  const bool colour = f.samples == 3 && f.bits_allocated <= 16 &&
                      (f.photometric == "RGB" || f.photometric.starts_with("YBR_"));
  VOXLOOM_CHECK(grey || colour,
                ErrorCode::kUnsupported,
                "{}: pixels must be MONOCHROME1, MONOCHROME2, RGB or YBR, got {} with {} sample(s) "
                "of {} bits",
                s.name,
                f.photometric.empty() ? "no PhotometricInterpretation" : f.photometric,
                f.samples,
                f.bits_allocated);
  DcmElement* element = nullptr;
  data.findAndGetElement(DCM_PixelData, element).good();
  VOXLOOM_CHECK(element != nullptr && element->ident() == EVR_PixelData,
                ErrorCode::kDataCorrupt,
                "{}: PixelData must be present (floating-point pixels are not supported)",
                s.name);
  s.pixels = static_cast<DcmPixelData*>(element);
}

DicomPixels::~DicomPixels() = default;

void DicomPixels::read_frame(const DicomFrame& frame, PixelType type, std::span<std::byte> out) {
  State& s = *state_;
  DicomPixelFormat format = s.object.pixels;
  const auto pixels = static_cast<size_t>(format.rows * format.columns);
  VOXLOOM_ASSERT(out.size() == pixels * image::bytes_per_voxel(type));
  const size_t word = static_cast<size_t>(format.bits_allocated) / 8;
  const bool native = !dicom::is_compressed(s.syntax);
  const bool subsampled = native && format.photometric == "YBR_FULL_422";
  const size_t frame_bytes =
      pixels * word * (subsampled ? 2U : static_cast<size_t>(format.samples));
  s.raw.assign(frame_bytes + (frame_bytes & 1), std::byte{0});  // Decoders want an even size.

  OFString decoded_model = format.photometric.c_str();
  try {
    if (native) {
      s.read_native(frame.number, frame_bytes);
    } else if (is_jpeg2000(s.syntax)) {
      s.read_jpeg2000(static_cast<size_t>(frame.number));
    } else if (s.syntax == EXS_RLELossless) {
      decode_rle(s.compressed(static_cast<size_t>(frame.number)),
                 static_cast<size_t>(format.samples),
                 word,
                 std::span(s.raw).first(frame_bytes));
    } else {
      if (frame.number != s.next_frame) s.next_fragment = 0;
      s.check(s.pixels->getUncompressedFrame(s.file->getDataset(),
                                             static_cast<Uint32>(frame.number),
                                             s.next_fragment,
                                             s.raw.data(),
                                             static_cast<Uint32>(s.raw.size()),
                                             decoded_model,
                                             &s.cache),
              frame.number);
      s.next_frame = frame.number + 1;
    }
  } catch (const Error& e) {
    const bool named = std::string_view(e.what()).starts_with(s.name);
    throw named ? e : e.with_context(s.name);
  }

  if (format.samples == 1) {
    if (word == 1) convert_grey<uint8_t>(s.raw, format, frame, type, out);
    if (word == 2) convert_grey<uint16_t>(s.raw, format, frame, type, out);
    if (word == 4) convert_grey<uint32_t>(s.raw, format, frame, type, out);
    return;
  }
  std::string model = decoded_model.c_str();
  if (is_jpeg2000(s.syntax) && model != "YBR_FULL") model = "RGB";  // The decoder undoes RCT, ICT.
  if (!native) format.planar = false;
  if (subsampled) {  // Y1 Y2 Cb Cr: the luma of two pixels, then their colour.
    for (size_t i = 0; i < pixels; ++i) {
      std::memcpy(out.data() + i * word, s.raw.data() + (i / 2 * 4 + i % 2) * word, word);
    }
  } else if (word == 1) {
    convert_colour<uint8_t>(s.raw, format, model, out);
  } else {
    convert_colour<uint16_t>(s.raw, format, model, out);
  }
}

}  // namespace voxloom::io
