#include "voxloom/serve/serve_options.h"

#include <algorithm>

#include <nlohmann/json.hpp>
#include <stdlib.h>

#include "voxloom/core/error.h"
#include "voxloom/core/json_text.h"
#include "voxloom/serve/auth/limits.h"

namespace voxloom::serve {
namespace {

std::string variable(const char* name) {
  const char* value = ::getenv(name);
  return value != nullptr ? value : "";
}

bool is_url(std::string_view text) {
  return text.starts_with("http://") || text.starts_with("https://");
}

/// MONAI Label's list: ["https://a", "https://b"].
std::vector<std::string> origins_of(const std::string& text) {
  if (text.empty()) return {};
  const auto list = read_json(text).value;
  const bool texts =
      list.is_array() &&
      std::all_of(list.begin(), list.end(), [](const auto& entry) { return entry.is_string(); });
  VOXLOOM_CHECK(texts,
                ErrorCode::kInvalidArgument,
                "MONAI_LABEL_CORS_ORIGINS: must be a JSON list of texts, got '{}'",
                text);
  return list.get<std::vector<std::string>>();
}

}  // namespace

void ServeOptions::visit(OptionList& list) {
  list.option(
          "--studies",
          studies,
          "Folder with images (and labels below it), or the base URL of a DICOMweb server; also "
          "from VOXLOOM_STUDIES or MONAI_LABEL_STUDIES.")
      .with_value_name("DIR|URL");
  list.option("--host", host, "Address to listen on; 0.0.0.0: every network (see --users, --tls).");
  list.option("--port", port, "Port to listen on; 0: any free one.").with_range(0, 65535);
  list.option("--model",
              models,
              "Serve a model package under a name; repeatable. 'geodesic' is always there, and SAM "
              "where a MedSAM2 package is found.")
      .with_value_name("NAME=PACKAGE");
  list.option("--strategy",
              strategies,
              "A strategy of your own for the next sample: a program that reads JSON and answers "
              "{\"id\": ...}; repeatable.")
      .with_value_name("NAME=COMMAND");
  list.option("--users",
              users,
              "Accounts; 'voxloom serve user add' makes the file. Without it everyone may do "
              "everything, so keep to the loopback address.")
      .with_value_name("FILE");
  list.option("--tls", tls, "off, auto (a certificate of its own, made once), or CERT,KEY in PEM.")
      .with_value_name("off|auto|CERT,KEY");
  list.option("--database", database, "Where jobs are kept; empty: SQLite in the state folder.")
      .with_value_name("sqlite:FILE|postgresql://...");
  list.option("--state-dir",
              state_dir,
              "Certificate, token key, jobs, sessions, uploads; empty: voxloom below "
              "XDG_STATE_HOME or ~/.local/state.")
      .with_value_name("DIR");
  list.option("--log-dir", log_dir, "Write the log there too, as JSON lines, rotated.")
      .with_value_name("DIR");
  list.option("--log-listen", log_listen, "Let monitors with a token follow the log on this port.")
      .with_value_name("HOST:PORT");
  list.option("--log-push", log_push, "Send the log to a front end that listens; repeatable.")
      .with_value_name("HOST:PORT");
  list.option("--log-token-file",
              log_token_file,
              "The token of log monitors; empty: made once in the state folder.")
      .with_value_name("FILE");
  list.option("--ohif", ohif, "A built OHIF viewer to serve under /ohif/.").with_value_name("DIR");
  list.option("--cors-origin",
              cors_origins,
              "Pages that may call from a browser, beside the server's own; repeatable. * is every "
              "one. "
              "None given: with accounts every one, without them those of loopback addresses.")
      .with_value_name("ORIGIN");
  list.option("--dicomweb-filter", dicomweb_filter, "Which series of a DICOMweb server to serve.")
      .with_value_name("JSON");
  list.option("--dicomweb-user",
              dicomweb_user,
              "Account at the DICOMweb server; its password comes from VOXLOOM_DICOMWEB_PASSWORD.")
      .with_value_name("NAME");
  list.option("--prefetch", prefetch, "Likely next images to make ready in the background.")
      .with_range(0, 32)
      .as_speed_only();
  list.option("--memory-mb", memory_mb, "Memory for open images and sessions.")
      .with_range(64, 1 << 20)
      .as_speed_only();
  list.option("--rate",
              rate,
              "Requests a second of one client address before it is answered 429; 0: no limit.")
      .with_range(0, 1e6);
  list.option("--max-upload-mb", max_upload_mb, "Largest upload.").with_range(1, 1 << 20);
  list.option("--taken-min", taken_min, "Minutes that a sample stays with who asked for it.")
      .with_range(0, 1e5);
  runtime.visit(list);
}

void ServeOptions::prepare() {
  const std::string monai_studies = variable("MONAI_LABEL_STUDIES");
  if (studies.empty()) studies = monai_studies;
  // For MONAI Label this one may also be a kind of datastore ("local").
  const std::string monai_datastore = variable("MONAI_LABEL_DATASTORE");
  std::error_code ignored;
  if (studies.empty() &&
      (is_url(monai_datastore) || std::filesystem::is_directory(monai_datastore, ignored))) {
    studies = monai_datastore;
  }
  if (cors_origins.empty()) cors_origins = origins_of(variable("MONAI_LABEL_CORS_ORIGINS"));
  for (std::string& origin : cors_origins) {
    if (origin.ends_with('/')) origin.pop_back();  // as people copy addresses
  }
  VOXLOOM_CHECK(!studies.empty(),
                ErrorCode::kInvalidArgument,
                "no studies: give --studies DIR, or set VOXLOOM_STUDIES");
  runtime.validate();
}

bool ServeOptions::dicomweb() const {
  return is_url(studies);
}

bool ServeOptions::on_loopback() const {
  return host == "localhost" || is_loopback(host);
}

std::filesystem::path ServeOptions::state_folder() const {
  if (!state_dir.empty()) return state_dir;
  if (const char* state = ::getenv("XDG_STATE_HOME"); state != nullptr && *state != '\0') {
    return std::filesystem::path(state) / "voxloom";
  }
  const char* home = ::getenv("HOME");
  VOXLOOM_CHECK(home != nullptr && *home != '\0',
                ErrorCode::kInvalidArgument,
                "no state folder: give --state-dir DIR, or set HOME");
  return std::filesystem::path(home) / ".local" / "state" / "voxloom";
}

}  // namespace voxloom::serve
