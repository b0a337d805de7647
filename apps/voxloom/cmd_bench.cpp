#include "voxloom/infer/ml_library.h"

#include "commands.h"

namespace voxloom::app {
namespace {

struct BenchArgs {
  std::string name = "segment";
  std::string package;
  infer::RuntimeOptions runtime;

  void visit(OptionList& list) {
    list.positional("NAME",
                    name,
                    "What to time: segment (a whole two-ended propagation, one key "
                    "slice, a further click).")
        .with_choices({"segment"});
    list.option("--model",
                package,
                "Package to time; without one, a full-size MedSAM2 network "
                "with generated stand-in weights (speed does not depend on them).")
        .with_value_name("PACKAGE");
    runtime.visit(list);
  }
  void prepare(Context&) { runtime.validate(); }
};

int run_bench(BenchArgs& args, Context& context) {
  context.result = infer::ml_api().bench(args.name, args.package, args.runtime, *context.progress);
  *context.out << context.result.dump(2) << "\n";
  return 0;
}

}  // namespace

Command bench_command() {
  return make_command<BenchArgs>(
      {.name = "bench",
       .summary = "Time whole jobs on this machine and print the medians as JSON.",
       .details = "Compare figures of one run on one quiet machine only. bench/peers/ has the "
                  "scripts that "
                  "time the original programs beside ours.",
       .examples = {{"voxloom bench segment --threads 2", "two threads, every stage"}},
       .references = {}},
      run_bench);
}

}  // namespace voxloom::app
