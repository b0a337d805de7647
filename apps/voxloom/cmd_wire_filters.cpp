#include <filesystem>

#include "voxloom/core/error.h"
#include "voxloom/infer/filter_options.h"
#include "voxloom/infer/ml_library.h"

#include "commands.h"

namespace voxloom::app {
namespace {

struct FilterArgs {
  infer::FilterReportOptions options;
  void visit(OptionList& list) { options.visit(list); }
  void prepare(Context& context) {
    options.validate();
    options.force = context.common.force;
  }
};

int run_filters(FilterArgs& args, Context& context) {
  VOXLOOM_CHECK(std::filesystem::exists(args.options.data),
                ErrorCode::kNotFound,
                "data '{}': must be a manifest, a folder or a video, got nothing there",
                args.options.data);
  context.result = infer::ml_api().wire_filters(args.options, *context.progress, context.stop);
  for (const auto& chain : context.result["chains"]) {
    for (const auto& output : chain["outputs"]) {
      *context.out << format(
          "{:<28} {:<10}", chain["chain"].get<std::string>(), output["name"].get<std::string>());
      for (const auto& [name, values] : output["metrics"].items()) {
        *context.out << format("  {} {:.3f}", name, values["mean"].get<double>());
      }
      *context.out << "\n";
    }
  }
  *context.out << context.result["report"].get<std::string>() << "\n";
  return 0;
}

}  // namespace

Command wire_filters_command() {
  return make_command<FilterArgs>(
      {.name = "wire filters",
       .summary = "Compare X-ray filters on a data set or a video, with measures and pictures.",
       .details =
           "Runs every chain over the frames and writes report.html (one file, pictures side by "
           "side) and metrics.json. Measures: EME, entropy, noise; where frames are labelled also "
           "contrast to noise (CNR), contrast and its improvement (CII, CIR). A video has no "
           "labels.\n\n"
           "clahe, nlm, gamma, recursive and nvca change the image that later filters see; "
           "frangi, subtract, bottomhat and linehat add a channel made from the image at that "
           "place. nlm is for offline use: it takes a large part of a second a frame.\n\n"
           "A higher CNR does not make a wire easier to find: choose filters by what a network "
           "finds after them (wire eval).",
       .examples = {{"voxloom wire filters --data run.avi -o report",
                     "a video, with the chains that show each filter"},
                    {"voxloom wire filters --data set.jsonl --chain live --chain "
                     "nvca+clahe:2,8x8 -o report",
                     "two chains on labelled frames"}},
       .references = {"Frangi et al., MICCAI 1998 (frangi)",
                      "Meijering et al., IEEE Trans. Medical Imaging 18, 1999 (subtract)",
                      "Agaian et al., IEEE Trans. Image Processing 16, 2007 (EME)"}},
      run_filters);
}

}  // namespace voxloom::app
