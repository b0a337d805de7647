#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "voxloom/engine/engine_options.h"
#include "voxloom/engine/file_cache.h"
#include "voxloom/engine/onnx_writer.h"

namespace voxloom::engine {

/// A network that OpenVINO can be given.
struct OpenvinoSource {
  std::string name;                  ///< "encoder": begins the names of cached files.
  std::string key;                   ///< Text that stands for the weights and the graph.
  std::vector<std::string> outputs;  ///< Names of the graph's outputs.
  std::function<OnnxGraph()> graph;  ///< Called only where nothing is cached.
  std::filesystem::path folder;      ///< The model package, where the ONNX file is kept; may be "".
};

/// How a network became ready.
struct OpenvinoStart {
  bool compiled_cache = false;  ///< The compiled network was read from the cache.
  bool onnx_cache = false;      ///< The ONNX file was there already.
  double seconds = 0.0;
};

/// A network compiled by OpenVINO for this processor.
///
/// The compiled form is kept in `cache` under a name made of the source's key, the precision, the
/// version of OpenVINO and the processor's instruction sets; a file that can't be read is made
/// anew. Own files and not OpenVINO's cache folder: those appear half-written to another process.
/// One call at a time.
class OpenvinoNetwork {
 public:
  /// Throws kUnsupported in a build without OpenVINO, kInternal with OpenVINO's words when the
  /// graph does not compile.
  OpenvinoNetwork(const OpenvinoSource& source,
                  Precision precision,
                  int threads,
                  const FileCache& cache = FileCache());
  ~OpenvinoNetwork();

  /// Inputs by name: contiguous float32 on the CPU, read in place. Outputs by name, in the order of
  /// OpenvinoSource::outputs, written in place into new tensors (copied where their shape depends on
  /// the inputs). Throws kInvalidArgument for an unknown name.
  std::vector<std::pair<std::string, at::Tensor>> run(
      const std::vector<std::pair<std::string, at::Tensor>>& inputs);

  [[nodiscard]] const OpenvinoStart& start() const { return start_; }

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
  OpenvinoStart start_;
};

}  // namespace voxloom::engine
