// consumer IMAGE X Y Z: grows an object from one click and prints its number of voxels.
#include <algorithm>
#include <cstdlib>
#include <iostream>

#include <voxloom/core/error.h>
#include <voxloom/infer/segmenter.h>
#include <voxloom/io/volume_io.h>

int main(int argc, char** argv) try {
  if (argc != 5) return 2;
  const auto model = voxloom::infer::make_segmenter("geodesic", {});
  const auto session = model->open(voxloom::io::open_volume(argv[1]));
  voxloom::infer::ObjectPrompt object;
  object.points = {{{std::atoi(argv[2]), std::atoi(argv[3]), std::atoi(argv[4])}, true}};
  session->set_prompts({object});
  voxloom::Progress quiet;
  const auto result = session->run({}, quiet, {});
  const auto voxels = result.labels.voxels();
  std::cout << std::count(voxels.begin(), voxels.end(), object.value) << " voxels\n";
  return 0;
} catch (const voxloom::Error& e) {
  std::cerr << e.what() << "\n";
  return 1;
}
