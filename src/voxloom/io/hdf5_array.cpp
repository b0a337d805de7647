#include "voxloom/io/hdf5_array.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

#include <hdf5.h>

#include "voxloom/core/error.h"

namespace voxloom::io {
namespace {

constexpr size_t kMaxNames = 1000;
constexpr int kMaxAxes = 4;
constexpr size_t kChunkCacheBytes = size_t{64} << 20;

/// The library's one lock: its state is global.
std::mutex& library_lock() {
  static std::mutex lock;
  return lock;
}

void prepare_library() {
  // Errors are thrown, not printed; filters come from this build, not from folders of plugins.
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  H5PLset_loading_state(0);
}

/// An identifier of the library with the function that gives it back.
class Handle {
 public:
  Handle() = default;
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  [[nodiscard]] hid_t get() const { return id_; }
  [[nodiscard]] bool is_open() const { return id_ >= 0; }

 private:
  hid_t id_ = -1;
  herr_t (*close_)(hid_t) = nullptr;
};

/// The innermost reason that the library gives for its last error.
std::string library_reason() {
  std::string reason = "no reason given";
  H5Ewalk2(
      H5E_DEFAULT,
      H5E_WALK_UPWARD,
      [](unsigned n, const H5E_error2_t* error, void* text) -> herr_t {
        if (n == 0 && error->desc != nullptr) *static_cast<std::string*>(text) = error->desc;
        return 0;
      },
      &reason);
  return reason;
}

void check_read(bool good, const std::string& where) {
  VOXLOOM_CHECK(good,
                ErrorCode::kDataCorrupt,
                "{}: must be a readable HDF5 file, got: {}",
                where,
                library_reason());
}

/// Names of the arrays in the root that are stored in this file.
std::vector<std::string> array_names(hid_t file) {
  std::vector<std::string> names;
  H5Literate(
      file,
      H5_INDEX_NAME,
      H5_ITER_INC,
      nullptr,
      [](hid_t root, const char* name, const H5L_info_t* info, void* data) -> herr_t {
        auto& list = *static_cast<std::vector<std::string>*>(data);
        if (list.size() >= kMaxNames) return 1;
        if (info->type != H5L_TYPE_HARD) return 0;
        const Handle object(H5Oopen(root, name, H5P_DEFAULT), H5Oclose);
        if (object.is_open() && H5Iget_type(object.get()) == H5I_DATASET) list.emplace_back(name);
        return 0;
      },
      &names);
  return names;
}

std::string chosen_name(hid_t file, std::string_view wanted, const std::string& where) {
  const auto names = array_names(file);
  if (std::find(names.begin(), names.end(), wanted) != names.end()) return std::string(wanted);
  if (names.size() == 1) return names.front();
  std::string list;
  for (const auto& name : names) list += (list.empty() ? "'" : ", '") + name + "'";
  throw Error(
      ErrorCode::kNotFound,
      format(
          "{}: must hold the array '{}', got {}", where, wanted, list.empty() ? "no array" : list));
}

std::vector<int64_t> checked_shape(hid_t space, const std::string& where) {
  VOXLOOM_CHECK(
      H5Sis_simple(space) > 0, ErrorCode::kDataCorrupt, "{}: must be an array of numbers", where);
  const int axes = H5Sget_simple_extent_ndims(space);
  VOXLOOM_CHECK(axes >= 1 && axes <= kMaxAxes,
                ErrorCode::kUnsupported,
                "{}: must have within [1, {}] axes, got {}",
                where,
                kMaxAxes,
                axes);
  std::array<hsize_t, kMaxAxes> sizes{};
  check_read(H5Sget_simple_extent_dims(space, sizes.data(), nullptr) == axes, where);
  std::vector<int64_t> shape;
  int64_t elements = 1, slice = 1;
  for (int i = 0; i < axes; ++i) {
    const hsize_t size = sizes[static_cast<size_t>(i)];
    const bool fits = size >= 1 && size <= static_cast<hsize_t>(Hdf5Array::kMaxElements / elements);
    VOXLOOM_CHECK(
        fits && (i == 0 || size <= static_cast<hsize_t>(Hdf5Array::kMaxSliceElements / slice)),
        size == 0 ? ErrorCode::kDataCorrupt : ErrorCode::kUnsupported,
        "{}: must have within [1, {}] elements and {} a slice, got {} along axis {}",
        where,
        Hdf5Array::kMaxElements,
        Hdf5Array::kMaxSliceElements,
        size,
        i);
    shape.push_back(static_cast<int64_t>(size));
    elements *= shape.back();
    if (i > 0) slice *= shape.back();
  }
  return shape;
}

/// Refuses layouts that reach outside the file, cost too much, or need foreign filters.
void check_storage(hid_t array, size_t element_bytes, const std::string& where) {
  const Handle plist(H5Dget_create_plist(array), H5Pclose);
  check_read(plist.is_open(), where);
  const H5D_layout_t layout = H5Pget_layout(plist.get());
  VOXLOOM_CHECK((layout == H5D_COMPACT || layout == H5D_CONTIGUOUS || layout == H5D_CHUNKED) &&
                    H5Pget_external_count(plist.get()) == 0,
                ErrorCode::kUnsupported,
                "{}: must be stored in the file itself",
                where);
  if (layout != H5D_CHUNKED) return;
  std::array<hsize_t, kMaxAxes> sizes{};
  const int axes = H5Pget_chunk(plist.get(), kMaxAxes, sizes.data());
  check_read(axes >= 1 && axes <= kMaxAxes, where);
  uint64_t bytes = element_bytes;
  for (int i = 0; i < axes; ++i) {
    const hsize_t size = sizes[static_cast<size_t>(i)];
    VOXLOOM_CHECK(size >= 1 && size <= static_cast<uint64_t>(Hdf5Array::kMaxChunkBytes) / bytes,
                  ErrorCode::kUnsupported,
                  "{}: chunks must have at most {} bytes",
                  where,
                  Hdf5Array::kMaxChunkBytes);
    bytes *= size;
  }
  const int filters = H5Pget_nfilters(plist.get());
  for (int i = 0; i < filters; ++i) {
    unsigned flags = 0, config = 0;
    size_t values = 0;
    const H5Z_filter_t id = H5Pget_filter2(
        plist.get(), static_cast<unsigned>(i), &flags, &values, nullptr, 0, nullptr, &config);
    VOXLOOM_CHECK(
        id == H5Z_FILTER_DEFLATE || id == H5Z_FILTER_SHUFFLE || id == H5Z_FILTER_FLETCHER32,
        ErrorCode::kUnsupported,
        "{}: filters must be deflate, shuffle or fletcher32, got number {}",
        where,
        static_cast<int>(id));
  }
}

}  // namespace

struct Hdf5Array::Handles {
  Handle file, array, space, type;
  std::string where, name;
  std::vector<int64_t> shape;
  size_t unsigned_bytes = 0;  ///< 1 or 2 for integers that are kept; 0: read as float.

  ~Handles() {
    const std::lock_guard lock(library_lock());
    for (Handle* handle : {&type, &space, &array, &file}) *handle = Handle();
  }

  template <class T>
  std::vector<T> read(int64_t index, hid_t memory_type) const {
    std::array<hsize_t, kMaxAxes> start{}, count{};
    hsize_t elements = 1;
    for (size_t i = 0; i < shape.size(); ++i) {
      count[i] = i == 0 ? 1 : static_cast<hsize_t>(shape[i]);
      elements *= count[i];
    }
    start[0] = static_cast<hsize_t>(index);
    std::vector<T> values(elements);
    const std::lock_guard lock(library_lock());
    const Handle here(H5Scopy(space.get()), H5Sclose);
    const Handle memory(H5Screate_simple(1, &elements, nullptr), H5Sclose);
    check_read(
        here.is_open() && memory.is_open() &&
            H5Sselect_hyperslab(
                here.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr) >= 0 &&
            H5Dread(
                array.get(), memory_type, memory.get(), here.get(), H5P_DEFAULT, values.data()) >=
                0,
        format("{} at {}", where, index));
    return values;
  }
};

Hdf5Array::Hdf5Array(std::unique_ptr<Handles> handles) : handles_(std::move(handles)) {}
Hdf5Array::Hdf5Array(Hdf5Array&&) noexcept = default;
Hdf5Array& Hdf5Array::operator=(Hdf5Array&&) noexcept = default;
Hdf5Array::~Hdf5Array() = default;

Hdf5Array Hdf5Array::open(const std::filesystem::path& path, std::string_view name) {
  std::error_code failed;
  VOXLOOM_CHECK(std::filesystem::is_regular_file(path, failed),
                ErrorCode::kNotFound,
                "'{}': must be a file",
                path.string());
  auto handles = std::make_unique<Handles>();
  Handles& h = *handles;
  h.where = format("'{}'", path.string());
  // After `handles`, whose end takes the lock: an error frees it first.
  const std::lock_guard lock(library_lock());
  prepare_library();
  h.file = Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  check_read(h.file.is_open(), h.where);
  h.name = chosen_name(h.file.get(), name, h.where);
  h.where += format(" array '{}'", h.name);
  const Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
  // Chunks hold several slices, as h5py makes them; without a cache each is unpacked once a slice.
  check_read(access.is_open() && H5Pset_chunk_cache(access.get(),
                                                    H5D_CHUNK_CACHE_NSLOTS_DEFAULT,
                                                    kChunkCacheBytes,
                                                    H5D_CHUNK_CACHE_W0_DEFAULT) >= 0,
             h.where);
  h.array = Handle(H5Dopen2(h.file.get(), h.name.c_str(), access.get()), H5Dclose);
  check_read(h.array.is_open(), h.where);
  h.space = Handle(H5Dget_space(h.array.get()), H5Sclose);
  h.type = Handle(H5Dget_type(h.array.get()), H5Tclose);
  check_read(h.space.is_open() && h.type.is_open(), h.where);
  h.shape = checked_shape(h.space.get(), h.where);
  const H5T_class_t kind = H5Tget_class(h.type.get());
  const size_t bytes = H5Tget_size(h.type.get());
  VOXLOOM_CHECK((kind == H5T_INTEGER || kind == H5T_FLOAT) && bytes >= 1 && bytes <= 8,
                ErrorCode::kDataCorrupt,
                "{}: elements must be numbers of at most 8 bytes",
                h.where);
  if (kind == H5T_INTEGER && bytes <= 2 && H5Tget_sign(h.type.get()) == H5T_SGN_NONE) {
    h.unsigned_bytes = bytes;
  }
  check_storage(h.array.get(), bytes, h.where);
  return Hdf5Array(std::move(handles));
}

const std::vector<int64_t>& Hdf5Array::shape() const {
  return handles_->shape;
}

const std::string& Hdf5Array::name() const {
  return handles_->name;
}

Hdf5Array::Values Hdf5Array::read(int64_t index) const {
  VOXLOOM_CHECK(index >= 0 && index < handles_->shape[0],
                ErrorCode::kInvalidArgument,
                "{}: the index must be within [0, {}), got {}",
                handles_->where,
                handles_->shape[0],
                index);
  switch (handles_->unsigned_bytes) {
    case 1:
      return handles_->read<uint8_t>(index, H5T_NATIVE_UINT8);
    case 2:
      return handles_->read<uint16_t>(index, H5T_NATIVE_UINT16);
    default:
      return handles_->read<float>(index, H5T_NATIVE_FLOAT);
  }
}

bool has_hdf5() {
  return true;
}

}  // namespace voxloom::io
