#include <filesystem>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"

#include "commands.h"
#include "segment_eval.h"
#include "segment_job.h"

namespace voxloom::app {
namespace {

struct EvalArgs {
  std::string data, output;
  int64_t value = 0, seed = 0;
  EvalSettings settings;

  void visit(OptionList& list) {
    list.option("--data",
                data,
                "Folder with image/ and label/ of equal file names, or a JSON manifest.")
        .with_value_name("FOLDER|MANIFEST")
        .as_required();
    list.option("--output", output, "Folder for report.html and metrics.json (also -o).")
        .with_value_name("DIR")
        .as_required();
    list.option("--model", settings.model, "auto, geodesic, or the name or folder of a package.")
        .with_value_name("auto|geodesic|PACKAGE");
    list.option("--value", value, "Only this label value; 0: every value is an object of its own.")
        .with_range(0, 65535);
    list.option("--tolerance-mm", settings.tolerance_mm, "Tolerance of surface Dice, in mm.")
        .with_range(0.01, 100);
    list.option("--target", settings.target_dice, "Dice that 'clicks to' counts to.")
        .with_range(0.1, 1);
    list.option("--seed", seed, "Seed of the bootstrap intervals.").with_range(0, 1e9);
    settings.options.visit(list);
    settings.runtime.visit(list);
  }

  void prepare(Context&) {
    settings.options.validate();
    settings.runtime.validate();
    if (value > 0) settings.value = static_cast<uint16_t>(value);
  }
};

int run_eval(EvalArgs& args, Context& context) {
  namespace fs = std::filesystem;
  const auto overwrite = context.common.force ? Overwrite::kReplace : Overwrite::kRefuse;
  const fs::path folder = args.output;
  const auto cases = dataset::read_labelled_volumes(args.data);
  make_output_folder(folder);
  check_output(folder / "report.html", overwrite);
  check_output(folder / "metrics.json", overwrite);

  const std::string model = resolve_model(args.settings.model);
  const auto segmenter = infer::make_segmenter(model, args.settings.runtime);
  std::vector<EvalObject> objects;
  context.progress->begin("evaluate", static_cast<int64_t>(cases.size()));
  for (const auto& item : cases) {
    auto found = evaluate_case(item, *segmenter, args.settings, context.stop);
    std::move(found.begin(), found.end(), std::back_inserter(objects));
    context.progress->advance(1);
  }
  context.progress->end();
  VOXLOOM_CHECK(!objects.empty(),
                ErrorCode::kDataCorrupt,
                "data '{}': no label map holds a value other than 0",
                args.data);

  auto metrics = eval_json(objects, args.settings, args.seed);
  metrics["model"] = segmenter->name();
  AtomicFile report(folder / "report.html", overwrite);
  report.write(eval_report(objects, args.settings, metrics, segmenter->name()));
  AtomicFile numbers(folder / "metrics.json", overwrite);
  numbers.write(metrics.dump(2) + "\n");
  report.commit();
  numbers.commit();
  for (const auto& [name, values] : metrics["metrics"].items()) {
    *context.out << format("{:<24} {:.4f}  [{:.4f}, {:.4f}]\n",
                           name,
                           values["mean"].get<double>(),
                           values["ci95"][0].get<double>(),
                           values["ci95"][1].get<double>());
  }
  *context.out << (folder / "report.html").string() << "\n";
  context.result = std::move(metrics);
  return 0;
}

}  // namespace

Command segment_eval_command() {
  return make_command<EvalArgs>(
      {.name = "segment eval",
       .summary = "Measure a model on labelled volumes with simulated boxes and clicks.",
       .details =
           "For every object: its tight box on its largest slice, then 1, 3, 5 and 10 clicks on "
           "that slice, each "
           "in the middle of the worst error of the mask shown there. After every prompt the "
           "object "
           "is followed through the volume and compared with the label: Dice, surface Dice, 95 % "
           "Hausdorff distance, seconds, and the number of clicks to Dice 0.9.\n\n"
           "report.html shows the plots and the worst cases; metrics.json has every number.",
       .examples = {{"voxloom segment eval --data cases --model medsam2_t512 -o report",
                     "a folder with cases/image and cases/label"}},
       .references = {"Sofiiuk et al., RITM, arXiv:2102.06583 (click rule)",
                      "Nikolov et al., arXiv:1809.04430 (surface Dice)"}},
      run_eval);
}

}  // namespace voxloom::app
