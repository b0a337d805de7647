#include <filesystem>
#include <map>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/dataset/guard.h"
#include "voxloom/dataset/manifest.h"
#include "voxloom/dataset/prepare.h"

#include "commands.h"

namespace voxloom::app {
namespace {

struct SplitArgs {
  std::string manifest, output;
  double val_share = 0.2;
  int64_t seed = 0;
  bool incomplete = false;

  void visit(OptionList& list) {
    list.positional("MANIFEST", manifest, "Manifest to read.").as_required();
    list.option("--output", output, "Manifest to write (also -o).")
        .with_value_name("MANIFEST")
        .as_required();
    list.option("--val-share", val_share, "Share of the training sequences for validation.")
        .with_range(0.001, 0.999);
    list.option("--seed", seed, "Seed of the draw.").with_range(0, 1e9);
    list.option("--incomplete",
                incomplete,
                "Parts of a published set are meant: another number of frames is only noted.");
  }
};

int run_split(SplitArgs& args, Context& context) {
  const auto overwrite = context.common.force ? Overwrite::kReplace : Overwrite::kRefuse;
  check_output(args.output, overwrite);
  auto samples = dataset::read_manifest(args.manifest).samples;
  dataset::split_train(samples, args.val_share, static_cast<uint64_t>(args.seed));
  dataset::refuse_violations(
      dataset::check_hold_out(samples, dataset::completeness(args.incomplete)),
      format("manifest '{}'", args.output));
  dataset::write_manifest(samples, args.output, overwrite);
  std::map<dataset::Role, int64_t> roles;
  for (const auto& sample : samples) ++roles[sample.role];
  for (const auto& [role, count] : roles) {
    *context.out << format("{:<10} {:>6} samples\n", dataset::role_name(role), count);
    context.result["roles"][std::string(dataset::role_name(role))] = count;
  }
  context.result["manifest"] = args.output;
  return 0;
}

}  // namespace

Command data_split_command() {
  return make_command<SplitArgs>(
      {.name = "data split",
       .summary = "Give a share of a manifest's training sequences to validation.",
       .details = "Whole sequences are drawn, so that frames of one video never lie on both sides. "
                  "The same seed gives the same split. Other roles stay as they are.",
       .examples = {{"voxloom data split all.jsonl --val-share 0.2 -o split.jsonl",
                     "every fifth sequence becomes validation"}},
       .references = {}},
      run_split);
}

}  // namespace voxloom::app
