#include "voxloom/serve/serve_options.h"

#include <stdlib.h>

#include "voxloom/core/error.h"

namespace voxloom::serve {

void ServeOptions::visit(OptionList& list) {
  list.option(
          "--studies",
          studies,
          "Folder with images (and labels below it), or the base URL of a DICOMweb server; also "
          "from VOXLOOM_STUDIES or MONAI_LABEL_DATASTORE.")
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
  list.option("--cors-origin", cors_origins, "Pages that may call from a browser; none given: all.")
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
  for (const char* name : {"MONAI_LABEL_DATASTORE", "MONAI_LABEL_STUDIES"}) {
    const char* value = ::getenv(name);
    if (studies.empty() && value != nullptr) studies = value;
  }
  VOXLOOM_CHECK(!studies.empty(),
                ErrorCode::kInvalidArgument,
                "no studies: give --studies DIR, or set VOXLOOM_STUDIES");
  runtime.validate();
}

bool ServeOptions::dicomweb() const {
  return studies.starts_with("http://") || studies.starts_with("https://");
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
