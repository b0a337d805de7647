#include <filesystem>

#include "voxloom/core/error.h"
#include "voxloom/infer/ml_library.h"
#include "voxloom/weights/checkpoint.h"
#include "voxloom/weights/package.h"

#include "commands.h"

namespace voxloom::app {
namespace {

using nlohmann::ordered_json;

struct ListArgs {
  void visit(OptionList&) {}
};

int run_list(ListArgs&, Context& context) {
  auto list = ordered_json::array();
  std::vector<weights::BrokenPackage> broken;
  for (const auto& package : weights::list_packages(weights::package_folders(), &broken)) {
    *context.out << format("{:<20} {:<8} {:<22} {}\n",
                           package.name(),
                           package.info.task,
                           package.info.variant,
                           package.folder.string());
    list.push_back({{"name", package.name()},
                    {"task", package.info.task},
                    {"variant", package.info.variant},
                    {"folder", package.folder.string()}});
  }
  *context.out << format(
      "{:<20} {:<8} {}\n", "geodesic", "segment", "built in, not a neural network");
  auto problems = ordered_json::array();
  for (const auto& package : broken) {
    *context.out << "unusable: " << package.problem << "\n";
    problems.push_back({{"folder", package.folder.string()}, {"problem", package.problem}});
  }
  if (list.empty()) {
    *context.out
        << "no model package was found; 'voxloom model convert' makes one from an official "
           "checkpoint\n";
  }
  context.result["models"] = std::move(list);
  context.result["unusable"] = std::move(problems);
  return 0;
}

struct PackageArgs {
  std::string package;
  void visit(OptionList& list) {
    list.positional("PACKAGE", package, "Name or folder of a model package.").as_required();
  }
};

int run_info(PackageArgs& args, Context& context) {
  const auto package = weights::find_package(args.package);
  context.result = weights::package_info_to_json(package.info);
  context.result["folder"] = package.folder.string();
  *context.out << context.result.dump(2) << "\n";
  return 0;
}

struct VerifyArgs {
  std::string path;
  bool tensors = false;
  void visit(OptionList& list) {
    list.positional(
            "PACKAGE|CHECKPOINT", path, "Package to check, or checkpoint file to fingerprint.")
        .as_required();
    list.option("--tensors", tensors, "Print the fingerprint of every tensor too.");
  }
};

void print_fingerprint(const weights::Fingerprint& print, bool tensors, Context& context) {
  *context.out << "weights   " << print.weights_sha256 << "\n"
               << "elements  " << print.parameter_count << " in " << print.tensors.size()
               << " tensors\n";
  context.result["weights_fingerprint"] = print.weights_sha256;
  context.result["elements"] = print.parameter_count;
  context.result["tensor_count"] = print.tensors.size();
  if (!tensors) return;
  auto list = ordered_json::array();
  for (const auto& tensor : print.tensors) {
    *context.out << format(
        "{}  {} {} {}\n", tensor.sha256, tensor.name, tensor.dtype, tensor.shape);
    list.push_back({{"name", tensor.name},
                    {"dtype", tensor.dtype},
                    {"shape", tensor.shape},
                    {"sha256", tensor.sha256}});
  }
  context.result["tensors"] = std::move(list);
}

int run_verify(VerifyArgs& args, Context& context) {
  if (std::filesystem::is_regular_file(args.path)) {
    const auto checkpoint = weights::read_checkpoint(args.path);
    *context.out << "format    " << weights::checkpoint_format_name(checkpoint.format) << "\n";
    context.result["format"] = weights::checkpoint_format_name(checkpoint.format);
    print_fingerprint(weights::fingerprint(checkpoint.tensors), args.tensors, context);
    return 0;
  }
  const auto package = weights::find_package(args.path);
  const auto verification = weights::verify_package(package);
  print_fingerprint(verification.fingerprint, args.tensors, context);
  context.result["intact"] = verification.intact;
  std::string problems;
  for (const auto& problem : verification.problems) problems += "\n  " + problem;
  VOXLOOM_CHECK(verification.intact,
                ErrorCode::kDataCorrupt,
                "package '{}' is not what its model.yaml records:{}",
                package.name(),
                problems);
  *context.out << "intact    every checksum of model.yaml holds\n";
  return 0;
}

struct ConvertArgs {
  infer::ConvertOptions options;
  std::string checkpoint, output;
  bool no_gate = false;

  void visit(OptionList& list) {
    list.positional("CHECKPOINT", checkpoint, "Official file: .pt, .pth or .safetensors.")
        .as_required();
    list.option("--output", output, "Folder of the package to make (also -o).")
        .with_value_name("DIR")
        .as_required();
    list.option("--variant",
                options.variant,
                "auto (from keys and file name), medsam2_t512, sam2.1_t, "
                "sam2.1_s, sam2.1_b+, sam2.1_l, efficienttam_s_512, "
                "efficienttam_ti_512 or sam-med2d_b.")
        .with_value_name("NAME");
    list.option("--licence", options.licence, "Licence to record; default: the one of the release.")
        .with_value_name("TEXT");
    list.option("--no-gate",
                no_gate,
                "Do not measure bfloat16 against float32; --precision auto then "
                "means f32.");
  }
};

int run_convert(ConvertArgs& args, Context& context) {
  args.options.checkpoint = args.checkpoint;
  args.options.output = args.output;
  args.options.gate = !args.no_gate;
  args.options.force = context.common.force;
  VOXLOOM_CHECK(std::filesystem::is_regular_file(args.options.checkpoint),
                ErrorCode::kNotFound,
                "checkpoint '{}' does not exist",
                args.checkpoint);
  context.result = infer::ml_api().convert_model(args.options, *context.progress);
  *context.out << context.result.dump(2) << "\n";
  return 0;
}

struct ExportArgs {
  infer::ExportOptions options;
  std::string output;
  bool onnx = false;

  void visit(OptionList& list) {
    list.positional("PACKAGE", options.package, "Name or folder of a model package.").as_required();
    list.option("--onnx", onnx, "Write ONNX (opset 17): encoder.onnx and decoder.onnx.")
        .as_required();
    list.option("--output", output, "Folder for the files (also -o).")
        .with_value_name("DIR")
        .as_required();
  }
};

int run_export(ExportArgs& args, Context& context) {
  args.options.output = args.output;
  args.options.force = context.common.force;
  context.result = infer::ml_api().export_model(args.options, *context.progress);
  *context.out << context.result.dump(2) << "\n";
  return 0;
}

}  // namespace

Command model_list_command() {
  return make_command<ListArgs>(
      {.name = "model list",
       .summary = "List the model packages that can be named.",
       .details = "Packages are looked for in the folders of $VOXLOOM_MODELS, in ./models, in the "
                  "installed share folder and in the user's data folder.",
       .examples = {{"voxloom model list", "names, variants and folders"}},
       .references = {}},
      run_list);
}

Command model_info_command() {
  return make_command<PackageArgs>({.name = "model info",
                                    .summary = "Print what a package's model.yaml says.",
                                    .details = "",
                                    .examples = {{"voxloom model info medsam2", "as JSON"}},
                                    .references = {}},
                                   run_info);
}

Command model_verify_command() {
  return make_command<VerifyArgs>(
      {.name = "model verify",
       .summary = "Check a package's checksums, or print a checkpoint's fingerprint.",
       .details =
           "The weights' fingerprint does not depend on the kind of file or the order of the "
           "tensors: a published .pt and the package made from it have the same one.",
       .examples = {{"voxloom model verify medsam2", "is the package intact?"},
                    {"voxloom model verify MedSAM2_latest.pt", "the fingerprint of the original"}},
       .references = {}},
      run_verify);
}

Command model_convert_command() {
  return make_command<ConvertArgs>(
      {.name = "model convert",
       .summary = "Make a model package from an official checkpoint.",
       .details =
           "Accepts the MedSAM2 releases, EfficientMedSAM (EfficientTAM ti and s at 512) and SAM "
           "2.1 tiny, "
           "small, base+ and large, and SAM-Med2D (sam-med2d_b.pth). The architecture is found "
           "from the keys; everything that is "
           "missing, unexpected or misshapen is reported at once. MedSAM2 and SAM 2.1 tiny have "
           "the "
           "same keys: --variant decides, else the file name.\n\n"
           "Nothing in the file is executed. bfloat16 masks are measured against float32 on "
           "bundled "
           "slices, and the result is recorded in model.yaml (not for SAM-Med2D, which runs in "
           "float32 unless --precision says otherwise).",
       .examples = {{"voxloom model convert MedSAM2_latest.pt -o models/medsam2",
                     "the recommended release"},
                    {"voxloom model convert weights.safetensors -o models/tiny --variant sam2.1_t",
                     "where the file name does not tell"},
                    {"voxloom model convert sam-med2d_b.pth -o models/sam-med2d",
                     "for clicks on single slices and X-ray pictures"}},
       .references = {}},
      run_convert);
}

Command model_export_command() {
  return make_command<ExportArgs>(
      {.name = "model export",
       .summary = "Write a package's networks as ONNX files.",
       .details =
           "encoder.onnx: image to features, static shapes. decoder.onnx: features, points, boxes "
           "and mask prompts to masks, any number of points. A JSON file describes inputs, outputs "
           "and preprocessing. SAM-Med2D gets the names and shapes of its authors' own export.",
       .examples = {{"voxloom model export medsam2 --onnx -o onnx", "both networks"}},
       .references = {}},
      run_export);
}

}  // namespace voxloom::app
