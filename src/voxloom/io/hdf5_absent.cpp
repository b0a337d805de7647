// Stands in for hdf5_array.cpp in builds without VOXLOOM_HDF5.
#include "voxloom/core/error.h"
#include "voxloom/io/hdf5_array.h"

namespace voxloom::io {

struct Hdf5Array::Handles {
  std::string name;
  std::vector<int64_t> shape;
};

Hdf5Array::Hdf5Array(std::unique_ptr<Handles> handles) : handles_(std::move(handles)) {}
Hdf5Array::Hdf5Array(Hdf5Array&&) noexcept = default;
Hdf5Array& Hdf5Array::operator=(Hdf5Array&&) noexcept = default;
Hdf5Array::~Hdf5Array() = default;

Hdf5Array Hdf5Array::open(const std::filesystem::path& path, std::string_view) {
  throw Error(ErrorCode::kUnsupported,
              format("'{}': this build has no HDF5 support (VOXLOOM_HDF5)", path.string()));
}

const std::vector<int64_t>& Hdf5Array::shape() const {
  return handles_->shape;
}

const std::string& Hdf5Array::name() const {
  return handles_->name;
}

Hdf5Array::Values Hdf5Array::read(int64_t) const {
  throw Error(ErrorCode::kUnsupported, "this build has no HDF5 support (VOXLOOM_HDF5)");
}

bool has_hdf5() {
  return false;
}

}  // namespace voxloom::io
