// Kills a process that saves labels, at random moments, and looks at what is left.
//
//     kill_store kill [kills] [images]   default 200 kills, 3 images
//     kill_store time [images]...        default 10 and 10000
//
// Every label holds a counter in all its voxels and in its info; the child prints it once the save
// is acknowledged. Afterwards each label must hold its last acknowledged counter or a later one,
// the same in each voxel and in the info.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/core/random.h"
#include "voxloom/io/volume_io.h"
#include "voxloom/serve/datastore/local_datastore.h"

namespace {

namespace fs = std::filesystem;
using namespace voxloom;
using namespace voxloom::serve;
using Clock = std::chrono::steady_clock;

image::Geometry grid() {
  image::Geometry g;
  g.size = {128, 128, 140};  // 2.3 MB as uint8.
  g.spacing_mm = {1, 1, 2};
  return g;
}

std::string id_of(int i) {
  return format("case_{:05}", i);
}

void make_studies(const fs::path& folder, int images) {
  fs::create_directories(folder);
  io::write_volume(image::Volume(grid(), image::PixelType::kUint8),
                   folder / (id_of(0) + ".nii"),
                   Overwrite::kReplace);
  for (int i = 1; i < images; ++i) {
    fs::create_hard_link(folder / (id_of(0) + ".nii"), folder / (id_of(i) + ".nii"));
  }
}

/// Voxel i holds byte i % 4 of the counter.
void fill(std::span<uint8_t> voxels, uint32_t counter) {
  for (size_t i = 0; i < voxels.size(); ++i) {
    voxels[i] = static_cast<uint8_t>(counter >> (8 * (i % 4)));
  }
}

/// The bytes of an uncompressed NIfTI label.
class LabelFile {
 public:
  explicit LabelFile(const fs::path& scratch) {
    io::write_volume(
        image::Volume(grid(), image::PixelType::kUint8), scratch / "t.nii", Overwrite::kReplace);
    std::ifstream in(scratch / "t.nii", std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(in), {});
  }
  void write(const fs::path& path, uint32_t counter) {
    const auto count = static_cast<size_t>(grid().voxel_count());
    auto* first = reinterpret_cast<uint8_t*>(bytes_.data()) + (bytes_.size() - count);
    fill({first, count}, counter);
    std::ofstream(path, std::ios::binary)
        .write(bytes_.data(), static_cast<std::streamsize>(bytes_.size()));
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

LocalDatastoreOptions options(const fs::path& studies) {
  // The index is written often, so that kills hit that too.
  return {.folder = studies, .export_delay = std::chrono::milliseconds(30)};
}

int save_until_killed(const fs::path& studies, const fs::path& scratch, int images, uint32_t from) {
  set_log_level(LogLevel::kError);
  LabelFile label(scratch);
  LocalDatastore store(options(studies));
  Rng random(from);
  for (uint32_t counter = from;; ++counter) {
    const std::string id = id_of(static_cast<int>(random.below(static_cast<uint64_t>(images))));
    const std::string tag = random.below(2) == 0 ? "final" : "original";
    // Now and then under another extension, which leaves an old file to be removed.
    const bool other = random.below(8) == 0;
    const fs::path file = scratch / (other ? "up.nrrd" : "up.nii");
    if (other) {
      image::Volume volume(grid(), image::PixelType::kUint8);
      fill(volume.as<uint8_t>(), counter);
      io::write_volume(volume, file, Overwrite::kReplace);
    } else {
      label.write(file, counter);
    }
    store.save_label(id, tag, file, file.filename().string(), {{"counter", counter}});
    const std::string line = id + ' ' + tag + ' ' + std::to_string(counter) + '\n';
    if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) return 1;
  }
}

struct Result {
  int kills = 0, acknowledged = 0, lost = 0, damaged = 0, info_differs = 0, failed_starts = 0;
};

using Acknowledged = std::map<std::pair<std::string, std::string>, uint32_t>;

/// Reads what the child acknowledged, kills it after `delay` from its first line.
void run_and_kill(const std::vector<std::string>& command,
                  std::chrono::microseconds delay,
                  Acknowledged& acknowledged,
                  uint32_t& next,
                  Result& result) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    std::vector<char*> arguments;
    for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  std::thread killer;
  std::string text;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof(buffer))) > 0;) {
    text.append(buffer, static_cast<size_t>(got));
    if (!killer.joinable()) {
      killer = std::thread([=] {
        std::this_thread::sleep_for(delay);
        ::kill(child, SIGKILL);
      });
    }
  }
  ::close(ends[0]);
  if (killer.joinable()) killer.join();
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFSIGNALED(status)) ++result.failed_starts;
  ++result.kills;
  for (size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    char id[64], tag[64];
    uint32_t counter = 0;
    if (std::sscanf(text.c_str() + at, "%63s %63s %u", id, tag, &counter) != 3) continue;
    acknowledged[{id, tag}] = counter;
    next = std::max(next, counter + 1);
    ++result.acknowledged;
  }
  next += 2;  // The one that was under way.
}

void inspect(const fs::path& studies, const Acknowledged& acknowledged, Result& result) {
  std::unique_ptr<LocalDatastore> store;
  try {
    store = std::make_unique<LocalDatastore>(options(studies));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "start: %s\n", error.what());
    ++result.failed_starts;
    return;
  }
  for (const auto& id : store->image_ids()) {
    const auto record = store->find(id);
    for (const auto& label : record->labels) {
      const auto want = acknowledged.find({id, label.tag});
      try {
        const auto labels = io::read_volume(store->label_path(id, label.tag));
        const auto voxels = labels.as<uint8_t>();
        uint32_t counter = 0;
        for (int b = 0; b < 4; ++b) counter |= static_cast<uint32_t>(voxels[b]) << (8 * b);
        std::vector<uint8_t> whole(voxels.size());
        fill(whole, counter);
        if (!std::equal(voxels.begin(), voxels.end(), whole.begin())) ++result.damaged;
        if (want != acknowledged.end() && counter < want->second) ++result.lost;
        if (label.info.value("counter", 0U) != counter) ++result.info_differs;
      } catch (const std::exception&) {
        ++result.damaged;
      }
    }
  }
  for (const auto& [key, counter] : acknowledged) {
    const auto record = store->find(key.first);
    if (!record || record->label(key.second) == nullptr) ++result.lost;
  }
}

int kill_test(const std::string& program, int kills, int images) {
  std::string name = (fs::current_path() / "kill-store-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) return 1;
  const fs::path base = name, studies = base / "studies";
  make_studies(studies, images);
  Result result;
  Acknowledged acknowledged;
  uint32_t next = 1;
  Rng random(1);
  for (int k = 0; k < kills; ++k) {
    const auto delay = std::chrono::microseconds(random.below(120'000));
    run_and_kill({program, "child", studies, base, std::to_string(images), std::to_string(next)},
                 delay,
                 acknowledged,
                 next,
                 result);
    // Every other time the next child finds the folder as the kill left it.
    if (k % 2 == 0 || k + 1 == kills) inspect(studies, acknowledged, result);
  }
  std::printf(
      "images %d, kills %d, saves acknowledged %d\n"
      "lost %d, damaged %d, info of another save %d, failed starts %d\n",
      images,
      result.kills,
      result.acknowledged,
      result.lost,
      result.damaged,
      result.info_differs,
      result.failed_starts);
  fs::remove_all(base);
  return result.lost + result.damaged + result.info_differs + result.failed_starts == 0 ? 0 : 1;
}

double median(std::vector<double> values) {
  std::nth_element(
      values.begin(), values.begin() + static_cast<ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

template <class Fn>
double milliseconds(Fn&& fn) {
  const auto begin = Clock::now();
  fn();
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

void time_saves(int images) {
  std::string name = (fs::current_path() / "time-store-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) return;
  const fs::path base = name, studies = base / "studies";
  make_studies(studies, images);
  LabelFile label(base);
  std::vector<double> saves, raw;
  {
    std::unique_ptr<LocalDatastore> store;
    const double start = milliseconds([&] {
      store = std::make_unique<LocalDatastore>(LocalDatastoreOptions{.folder = studies});
    });
    static_cast<void>(store->flush());
    constexpr uint32_t kCount = 60;
    for (uint32_t i = 0; i < kCount; ++i) {
      const fs::path file = base / "up.nii";
      label.write(file, i);
      const std::string id = id_of(static_cast<int>(i) % images);
      saves.push_back(milliseconds([&] { store->save_label(id, "final", file, "up.nii", {}); }));
      raw.push_back(milliseconds([&] {
        const int fd = ::open((studies / ".raw").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
        static_cast<void>(::write(fd, label.bytes().data(), label.bytes().size()));
        ::fsync(fd);
        ::close(fd);
      }));
    }
    std::printf("images %d: start %.0f ms, save of 2.3 MB %.2f ms, raw write and fsync %.2f ms\n",
                images,
                start,
                median(saves),
                median(raw));
  }
  const double again = milliseconds([&] {
    const LocalDatastore store({.folder = studies});
    static_cast<void>(store.stats());
  });
  std::printf("images %d: open and close again %.0f ms\n", images, again);
  fs::remove_all(base);
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string mode = argc > 1 ? argv[1] : "";
  const auto number = [&](int i, int otherwise) {
    return argc > i ? std::atoi(argv[i]) : otherwise;
  };
  if (mode == "child" && argc == 6) {
    return save_until_killed(
        argv[2], argv[3], number(4, 1), static_cast<uint32_t>(std::strtoul(argv[5], nullptr, 10)));
  }
  set_log_level(LogLevel::kError);
  if (mode == "kill") {
    return kill_test(fs::canonical("/proc/self/exe"), number(2, 200), number(3, 3));
  }
  if (mode == "time") {
    if (argc == 2) {
      time_saves(10);
      time_saves(10'000);
    }
    for (int i = 2; i < argc; ++i) time_saves(number(i, 10));
    return 0;
  }
  std::fprintf(stderr, "usage: kill_store kill [kills] [images] | time [images]...\n");
  return 2;
} catch (const std::exception& error) {
  std::fprintf(stderr, "kill_store: %s\n", error.what());
  return 1;
}
