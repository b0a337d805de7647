// Makes a full-size checkpoint with stand-in weights in the official .pt layout, for the command
// tests and the benches: voxloom_test_checkpoint KEYS.txt OUT.pt|OUT.safetensors [--drop KEY]
#include <algorithm>
#include <iostream>
#include <string>

#include "voxloom/weights/generated.h"
#include "voxloom/weights/safetensors.h"
#include "voxloom/weights/torch_writer.h"

using namespace voxloom;  // NOLINT(*-using-namespace)

int main(int argc, char** argv) {
  if (argc != 3 && argc != 5) {
    std::cerr << "usage: voxloom_test_checkpoint KEYS.txt OUT.pt|OUT.safetensors [--drop KEY]\n";
    return 2;
  }
  try {
    auto keys = weights::read_key_list(argv[1]);
    if (argc == 5) std::erase_if(keys, [&](const auto& key) { return key.name == argv[4]; });
    const auto state = weights::make_stand_in_weights(keys);
    const std::string path = argv[2];
    if (path.ends_with(".safetensors")) {
      weights::write_safetensors(path, state, {}, Overwrite::kReplace);
    } else {
      weights::write_torch_zip(path, state, "model", Overwrite::kReplace);
    }
  } catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
    return 1;
  }
  return 0;
}
