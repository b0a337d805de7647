// Replays the seeds (and finds) of the fuzzers: each is read or refused with an Error.
#include <gtest/gtest.h>

#include "voxloom/core/log.h"
#include "voxloom/io/volume_io.h"

#include "io_fixtures.h"

namespace voxloom::io {
namespace {

TEST(SeedTest, EverySeedIsReadOrRefused) {
  set_log_level(LogLevel::kError);
  const std::filesystem::path corpus =
      std::filesystem::path(VOXLOOM_SOURCE_DIR) / "fuzz" / "corpus";
  int read = 0, refused = 0;
  for (const char* name : {"nifti", "nrrd", "metaimage", "npz", "raster"}) {
    for (const auto& entry : std::filesystem::directory_iterator(corpus / name)) {
      SCOPED_TRACE(entry.path().string());
      ErrorCode code{};
      const std::string message =
          testing::error_of([&] { static_cast<void>(read_volume(entry.path())); }, &code);
      ++(message.empty() ? read : refused);
      EXPECT_NE(code, ErrorCode::kInternal) << message;
    }
  }
  // Seeds whose data lies in another file are refused here: that file isn't there.
  EXPECT_GE(read, 24);
  EXPECT_LE(refused, 6);
}

}  // namespace
}  // namespace voxloom::io
