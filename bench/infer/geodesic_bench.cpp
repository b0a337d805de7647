// What `geodesic` finds on synthetic solids, and how long a click takes.
//
//     geodesic_bench --table          Dice per solid and noise level, as text
//     geodesic_bench --json           the same as one JSON object
//     geodesic_bench [--benchmark_*]  Google Benchmark: first and further click on 256x256x128
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>

#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>

#include "voxloom/infer/geodesic.h"

#include "tests/infer/solids.h"

namespace {

using namespace voxloom;
using infer::testing_solids::Solid;

constexpr double kNoise[] = {0, 5, 10, 20, 30, 50};

std::unique_ptr<infer::SegmentSession> open(const image::Volume& volume) {
  return infer::make_geodesic_segmenter()->open(
      std::shared_ptr<image::VolumeSource>(image::make_source(volume)));
}

infer::SegmentResult run(infer::SegmentSession& session) {
  Progress quiet;
  return session.run({}, quiet, {});
}

int print_table(bool as_json) {
  nlohmann::ordered_json table;
  for (const double noise : kNoise) {
    for (const auto& solid : infer::testing_solids::standard_solids(noise)) {
      const auto session = open(solid.image);
      session->set_prompts({solid.prompt});
      const auto start = std::chrono::steady_clock::now();
      const auto result = run(*session);
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
      const double dice = infer::testing_solids::dice(result.labels.voxels(), solid.truth);
      table[solid.name].push_back({{"noise", noise}, {"dice", dice}, {"seconds", seconds.count()}});
    }
  }
  if (as_json) {
    std::printf("%s\n",
                nlohmann::ordered_json{{"contrast", 100}, {"solids", table}}.dump(2).c_str());
    return 0;
  }
  std::printf("Dice, one positive click, contrast 100; columns: standard deviation of noise\n%-22s",
              "");
  for (const double noise : kNoise) std::printf("%8.0f", noise);
  std::printf("\n");
  for (const auto& [name, rows] : table.items()) {
    std::printf("%-22s", name.c_str());
    for (const auto& row : rows) std::printf("%8.3f", row["dice"].get<double>());
    std::printf("\n");
  }
  return 0;
}

/// Two balls of `radius` voxels in a 256x256x128 volume: two objects to click.
Solid large_volume(double radius) {
  image::Geometry g;
  g.size = {256, 256, 128};
  return infer::testing_solids::make_solid(
      "two balls",
      g,
      [radius](double x, double y, double z) {
        const double a = std::abs(x) - 64;
        return a * a + y * y + z * z < radius * radius;
      },
      15,
      5);
}

const Solid& volume_of(int64_t radius) {
  static std::map<int64_t, Solid> made;
  if (made.count(radius) == 0) made[radius] = large_volume(static_cast<double>(radius));
  return made[radius];
}

infer::ObjectPrompt clicks(int count) {
  infer::ObjectPrompt prompt;
  prompt.points.push_back({{64, 128, 64}, true});
  if (count > 1) prompt.points.push_back({{70, 131, 64}, true});
  return prompt;
}

void BM_FirstClick(benchmark::State& state) {
  const auto& solid = volume_of(state.range(0));
  for (auto _ : state) {
    const auto session = open(solid.image);
    session->set_prompts({clicks(1)});
    benchmark::DoNotOptimize(run(*session));
  }
}

/// The image is prepared and the first click done: a second one in the same object.
void BM_FurtherClick(benchmark::State& state) {
  const auto& solid = volume_of(state.range(0));
  const auto session = open(solid.image);
  for (auto _ : state) {
    state.PauseTiming();
    session->set_prompts({clicks(1)});
    static_cast<void>(run(*session));
    state.ResumeTiming();
    session->set_prompts({clicks(2)});
    benchmark::DoNotOptimize(run(*session));
  }
}

BENCHMARK(BM_FirstClick)
    ->ArgName("radius")
    ->Arg(12)
    ->Arg(30)
    ->Arg(55)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(BM_FurtherClick)
    ->ArgName("radius")
    ->Arg(12)
    ->Arg(30)
    ->Arg(55)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--table") == 0) return print_table(false);
  if (argc == 2 && std::strcmp(argv[1], "--json") == 0) return print_table(true);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
