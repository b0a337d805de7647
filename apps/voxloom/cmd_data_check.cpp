#include <filesystem>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/dataset/data_check.h"
#include "voxloom/dataset/data_check_report.h"
#include "voxloom/dataset/manifest.h"

#include "commands.h"

namespace voxloom::app {
namespace {

struct CheckArgs {
  std::vector<std::string> manifests;
  std::string report, clean;
  int64_t pictures = 100;
  bool incomplete = false;

  void visit(OptionList& list) {
    list.positional("MANIFEST", manifests, "Manifests to check, together.").as_required();
    list.option("--report", report, "Folder for report.html with the near duplicates side by side.")
        .with_value_name("DIR");
    list.option("--pictures", pictures, "Pairs shown in the report.").with_range(0, 10000);
    list.option("--clean",
                clean,
                "Manifest to write, of one manifest without near duplicates: of each pair the "
                "sequence that trains goes.")
        .with_value_name("MANIFEST");
    list.option("--incomplete",
                incomplete,
                "Parts of published sets are meant: other numbers of frames are only noted.");
  }

  void prepare(Context&) const {
    VOXLOOM_CHECK(clean.empty() || manifests.size() == 1,
                  ErrorCode::kInvalidArgument,
                  "--clean: must be given with one manifest, got {}",
                  manifests.size());
  }
};

int run_check(CheckArgs& args, Context& context) {
  const auto overwrite = context.common.force ? Overwrite::kReplace : Overwrite::kRefuse;
  const std::filesystem::path page = std::filesystem::path(args.report) / "report.html";
  if (!args.report.empty()) {
    make_output_folder(args.report);
    check_output(page, overwrite);
  }
  if (!args.clean.empty()) check_output(args.clean, overwrite);
  const auto check = dataset::check_data({args.manifests.begin(), args.manifests.end()},
                                         dataset::SealedRegister(),
                                         dataset::completeness(args.incomplete),
                                         *context.progress,
                                         context.stop);
  *context.out << dataset::check_table(check);
  context.result = dataset::check_json(check);
  if (!args.report.empty()) {
    AtomicFile file(page, overwrite);
    file.write(dataset::check_html(check, args.pictures));
    file.commit();
    *context.out << page.string() << "\n";
    context.result["report"] = page.string();
  }
  if (!args.clean.empty()) {
    const auto kept = dataset::without_near_duplicates(check);
    dataset::write_manifest(kept, args.clean, overwrite);
    *context.out << format(
        "{}: {} samples left out\n", args.clean, check.samples.size() - kept.size());
    context.result["clean"] = args.clean;
    context.result["left_out"] = check.samples.size() - kept.size();
  }
  return check.good() ? 0 : 1;
}

}  // namespace

Command data_check_command() {
  return make_command<CheckArgs>(
      {.name = "data check",
       .summary = "Check manifests together: leaks between roles, rules of sealed sets, files.",
       .details =
           "Reads every image and mask. Finds sequences, files and nearly equal pictures (64-bit "
           "difference hash, at most 4 bits apart) in two roles; roles and sizes of the published "
           "sets that break the hold-out rules; files that are missing, damaged or changed; masks "
           "of another size; ids without a meaning. Ends with 1 when anything is wrong.\n\n"
           "Give all manifests of a project at once, the sealed ones too: their images are opened "
           "to be hashed and for nothing else.",
       .examples = {{"voxloom data check train.jsonl val.jsonl sealed.jsonl", "one table"},
                    {"voxloom data check a.jsonl b.jsonl --report check",
                     "the near duplicates as pictures, side by side"},
                    {"voxloom data check set.jsonl --clean clean.jsonl",
                     "a manifest without them"}},
       .references = {}},
      run_check);
}

}  // namespace voxloom::app
