// house_probe open            opens the ML library and prints its build id
// house_probe package FOLDER  writes a model package with two small tensors
#include <iostream>
#include <string>

#include "voxloom/core/error.h"
#include "voxloom/infer/ml_library.h"
#include "voxloom/weights/generated.h"
#include "voxloom/weights/package.h"

namespace {

void write_small_package(const std::string& folder) {
  using namespace voxloom::weights;
  PackageInfo info;
  info.task = "segment";
  info.architecture = "sam2.1-hiera";
  info.variant = "medsam2_t512";
  info.labels = {{1, "object"}};
  info.licence = "none";
  info.created_by = "a test";
  const KeyShape keys[] = {{"a.weight", {4, 3}}, {"a.bias", {4}}};
  write_package(
      folder, info, make_stand_in_weights(keys), "# Not a network\n", voxloom::Overwrite::kRefuse);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  try {
    if (verb == "open") {
      std::cout << voxloom::infer::ml_api().build_id << "\n";
    } else if (verb == "package" && argc == 3) {
      write_small_package(argv[2]);
    } else {
      return 2;
    }
  } catch (const voxloom::Error& e) {
    std::cerr << voxloom::error_code_name(e.code()) << ": " << e.what() << "\n";
    return 1;
  }
  return 0;
}
