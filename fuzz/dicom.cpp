// One DICOM file: headers, ordering, every codec, segmentations. The first and the last slice are
// decoded; grids above 2^22 voxels only have their header read.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>

#include <sys/mman.h>
#include <unistd.h>

#include "voxloom/core/error.h"
#include "voxloom/io/dicom_series.h"

namespace {

// A file in memory that has a name.
class MemoryFile {
 public:
  MemoryFile(const uint8_t* data, size_t size) : fd_(memfd_create("fuzz", MFD_CLOEXEC)) {
    if (fd_ < 0 || write(fd_, data, size) != static_cast<ssize_t>(size)) __builtin_trap();
  }
  ~MemoryFile() { close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace voxloom;
  const MemoryFile file(data, size);
  static_cast<void>(io::is_dicom_file(file.path()));
  try {
    const auto source = io::open_dicom_series(file.path());
    source->geometry().validate();
    const auto& dimensions = source->geometry().size;
    if (dimensions[0] * dimensions[1] * dimensions[2] > (1 << 22)) return 0;
    const auto first = source->read_slab(0, 1);
    const auto last = source->read_slab(dimensions[2] - 1, dimensions[2]);
    if (first.type() != source->type() || last.bytes().size() != first.bytes().size()) {
      __builtin_trap();
    }
  } catch (const Error&) {
  }
  return 0;
}
