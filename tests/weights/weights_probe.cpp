// The C++ side of weights_oracle_test.py:
//   weights_probe hash FILE             names, types, shapes and sha256 of the tensors, as JSON
//   weights_probe convert IN OUT        OUT is .pt or .safetensors
//   weights_probe generate KEYS OUT     stand-in weights of a key list as .pt
//   weights_probe npz IN OUT            reads every array and writes it again
#include <filesystem>
#include <iostream>

#include "voxloom/core/error.h"
#include "voxloom/core/npz.h"
#include "voxloom/weights/checkpoint.h"
#include "voxloom/weights/fingerprint.h"
#include "voxloom/weights/generated.h"
#include "voxloom/weights/safetensors.h"
#include "voxloom/weights/torch_writer.h"

namespace {

using namespace voxloom;

int run(const std::string& command, const std::string& in, const std::string& out) {
  if (command == "hash") {
    nlohmann::ordered_json json;
    for (const auto& t : weights::fingerprint(weights::read_checkpoint(in).tensors).tensors) {
      json[t.name] = {{"dtype", t.dtype}, {"shape", t.shape}, {"sha256", t.sha256}};
    }
    std::cout << json.dump() << "\n";
  } else if (command == "convert") {
    const weights::Checkpoint checkpoint = weights::read_checkpoint(in);
    if (std::filesystem::path(out).extension() == ".pt") {
      weights::write_torch_zip(out, checkpoint.tensors, "model", Overwrite::kReplace);
    } else {
      weights::write_safetensors(out, checkpoint.tensors, {{"by", "probe"}}, Overwrite::kReplace);
    }
  } else if (command == "generate") {
    const auto keys = weights::read_key_list(in);
    weights::write_torch_zip(
        out, weights::make_stand_in_weights(keys), "model", Overwrite::kReplace);
  } else if (command == "npz") {
    write_npz(out, read_npz(in), Overwrite::kReplace);
  } else {
    std::cerr << "unknown command\n";
    return 2;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  try {
    return run(argv[1], argv[2], argc > 3 ? argv[3] : "");
  } catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
    return 1;
  }
}
