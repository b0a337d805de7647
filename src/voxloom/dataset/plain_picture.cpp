#include "voxloom/dataset/plain_picture.h"

#include <span>
#include <type_traits>

#include "voxloom/core/error.h"
#include "voxloom/core/npz.h"
#include "voxloom/io/raster.h"

namespace voxloom::dataset {
namespace {

/// Not waiting for the disk: thousands follow, and a file lost with the power is found by its hash.
void write(const std::filesystem::path& path,
           std::span<const std::byte> bytes,
           Overwrite overwrite) {
  AtomicFile file(path, overwrite, Sync::kNo);
  file.write(bytes);
  file.commit();
}

}  // namespace

std::filesystem::path write_plain_picture(const PlainPicture& picture,
                                          const std::filesystem::path& stem,
                                          Overwrite overwrite) {
  std::filesystem::path path = stem;
  std::visit(
      [&](const auto& pixels) {
        using Pixel = typename std::decay_t<decltype(pixels)>::value_type;
        VOXLOOM_CHECK(picture.width > 0 && picture.height > 0 &&
                          static_cast<int64_t>(pixels.size()) == picture.width * picture.height,
                      ErrorCode::kInvalidArgument,
                      "picture '{}': must have width times height pixels, got {} for {}x{}",
                      stem.string(),
                      pixels.size(),
                      picture.width,
                      picture.height);
        if constexpr (std::is_same_v<Pixel, float>) {
          path += ".npy";
          write(
              path,
              encode_npy(make_array<float>("", {picture.height, picture.width}, std::span(pixels))),
              overwrite);
        } else {
          path += ".png";
          const auto bytes = std::as_bytes(std::span(pixels));
          const std::string file = io::encode_png(
              {picture.width,
               picture.height,
               1,
               sizeof(Pixel) == 1 ? image::PixelType::kUint8 : image::PixelType::kUint16,
               {bytes.begin(), bytes.end()}});
          write(path, std::as_bytes(std::span(file)), overwrite);
        }
      },
      picture.pixels);
  return path;
}

}  // namespace voxloom::dataset
