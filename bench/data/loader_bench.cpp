// How many augmented crops a second the loader makes, with nothing else to do:
//   loader_bench FOLDER [SET [WORKERS [SECONDS]]]
// FOLDER gets 40 generated pictures of 320x320 where it has none; bench/peers/loader_peer.py runs
// nnU-Net's augmentations on the same files. Prints one JSON line.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>

#include "voxloom/data/batch_maker.h"
#include "voxloom/data/batch_queue.h"

#include "../../tests/data/data_fixtures.h"

namespace {

using namespace voxloom;

std::vector<dataset::Sample> pictures(const std::filesystem::path& folder) {
  std::vector<dataset::Sample> out;
  for (uint64_t i = 0; i < 40; ++i) {
    dataset::Sample sample;
    sample.id = std::to_string(i);
    sample.image = folder / "image" / (sample.id + ".png");
    sample.mask = folder / "label" / (sample.id + ".png");
    sample.role = dataset::Role::kTrain;
    sample.classes = dataset::unified_class_map();
    if (!std::filesystem::exists(sample.mask)) {
      const auto picture = data::testing::line_picture(320, 320, i);
      dataset::testing::write_grey(sample.image, 320, 320, picture.image);
      dataset::testing::write_grey(sample.mask, 320, 320, picture.mask);
    }
    out.push_back(std::move(sample));
  }
  return out;
}

int run(int argc, char** argv) {
  data::LoaderOptions options;
  options.crop = 256;
  options.augment.set = argc > 2 ? argv[2] : "nnunet";
  options.workers = argc > 3 ? std::atol(argv[3]) : 2;
  const double seconds = argc > 4 ? std::atof(argv[4]) : 10.0;
  data::BatchMaker maker(pictures(argv[1]), options);
  data::BatchQueue queue(
      [&](int64_t e, int64_t b) { return maker.make(e, b); }, options.workers, options.prefetch);
  using Clock = std::chrono::steady_clock;
  int64_t crops = 0, epoch = 0;
  const auto take_epoch = [&] {
    queue.begin(epoch++, 0, maker.batches_per_epoch());
    while (const auto batch = queue.next()) crops += batch->count;
  };
  take_epoch();  // Fills the cache.
  crops = 0;
  const auto start = Clock::now();
  double passed = 0.0;
  while (passed < seconds) {
    take_epoch();
    passed = std::chrono::duration<double>(Clock::now() - start).count();
  }
  std::cout << "{\"set\": \"" << options.augment.set << "\", \"workers\": " << options.workers
            << ", \"crops_per_s\": " << static_cast<double>(crops) / passed << "}\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: loader_bench FOLDER [SET [WORKERS [SECONDS]]]\n";
    return 2;
  }
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "loader_bench: " << error.what() << "\n";
    return 1;
  }
}
