#include "voxloom/core/error.h"
#include "voxloom/serve/serve_app.h"
#include "voxloom/serve/serve_options.h"

#include "commands.h"

namespace voxloom::app {
namespace {

struct ServeArgs {
  serve::ServeOptions options;
  void visit(OptionList& list) { options.visit(list); }
  void prepare(Context&) { options.prepare(); }
};

int run_serve(ServeArgs& args, Context& context) {
  serve::ServeApp server(args.options);
  server.start();
  context.result["address"] = server.address();
  *context.out << "serving " << server.address() << "\n";
  for (const std::string& line : server.notes()) *context.out << "  " << line << "\n";
  *context.out << "stop with Ctrl-C\n" << std::flush;
  server.wait(context.stop);
  *context.out << "stopping: running requests may end\n" << std::flush;
  server.stop();
  return 0;
}

}  // namespace

Command serve_command() {
  return make_command<ServeArgs>(
      {.name = "serve",
       .summary =
           "Annotation server for 3D Slicer, OHIF and MITK, speaking MONAI Label's protocol.",
       .details =
           "Serves a folder of images to the MONAI Label extensions of 3D Slicer, OHIF and MITK, "
           "unchanged. Found images appear within a second; labels are saved below the folder in "
           "MONAI Label's layout, so that a folder can be taken over and given back.\n\n"
           "Models: geodesic is built in; SAM appears where a MedSAM2 package is found (see "
           "'voxloom "
           "model convert') or given with --model. Requests are answered while models compute, and "
           "a "
           "newer click of the same client stops the older one.\n\n"
           "Without --users everyone who reaches the port may do everything: keep to the loopback "
           "address, or make accounts with 'voxloom serve user add' and use --tls.",
       .examples = {{"voxloom serve --studies scans", "http://127.0.0.1:8000 for Slicer"},
                    {"voxloom serve --studies scans --model SAM=models/medsam2 --port 8001",
                     "with a MedSAM2 package"},
                    {"voxloom serve --studies scans --host 0.0.0.0 --users users.json --tls auto",
                     "for a network, with accounts and https"},
                    {"voxloom serve --studies https://pacs.example/dicom-web --dicomweb-user anna",
                     "on the series of a DICOMweb server"}},
       .references = {"Diaz-Pinto et al. 2024, MONAI Label, Medical Image Analysis 95, 103207"}},
      run_serve);
}

}  // namespace voxloom::app
