#include <iostream>

#include <stdlib.h>
#include <unistd.h>

#include "voxloom/core/error.h"
#include "voxloom/core/json_text.h"
#include "voxloom/serve/log/follow.h"
#include "voxloom/serve/log/record.h"
#include "voxloom/serve/log/render.h"

#include "commands.h"

namespace voxloom::app {
namespace {

struct LogsArgs {
  std::string connect, listen, token_file, level = "debug", client, ca, certificate, key;
  int64_t request = 0, lines = 20;
  bool tls = false, no_follow = false;

  void visit(OptionList& list) {
    list.option("--connect", connect, "Follow the server that listens there (its --log-listen).")
        .with_value_name("HOST:PORT");
    list.option("--listen", listen, "Take the logs that servers send here (their --log-push).")
        .with_value_name("HOST:PORT");
    list.option("--token-file",
                token_file,
                "File whose first line is the log token; else the variable VOXLOOM_LOG_TOKEN.")
        .with_value_name("FILE");
    list.option("--level", level, "Records of this level and above.")
        .with_choices({"debug", "info", "warn", "error"});
    list.option("--request", request, "Records of this request only; 0: of all.")
        .with_range(0, 9e15);
    list.option("--client", client, "Records of this client only: its id or its label (c-...).")
        .with_value_name("ID");
    list.option("--lines", lines, "Records of the past to show first, with --connect.")
        .with_range(0, 1e6);
    list.option("--no-follow", no_follow, "End after the records of the past, with --connect.");
    list.option("--tls", tls, "Connect with TLS.");
    list.option("--ca", ca, "Trust this certificate instead of the system's, with --tls.")
        .with_value_name("PEM");
    list.option("--certificate", certificate, "Take connections with TLS, with --listen.")
        .with_value_name("PEM");
    list.option("--key", key, "The certificate's private key.").with_value_name("PEM");
  }

  void prepare(Context&) {
    const bool both = !connect.empty() && !listen.empty();
    VOXLOOM_CHECK(!both && !(connect.empty() && listen.empty()),
                  ErrorCode::kInvalidArgument,
                  "give --connect or --listen");
    (void)serve::parse_log_endpoint(connect.empty() ? listen : connect);
    if (listen.empty()) {
      VOXLOOM_CHECK(certificate.empty() && key.empty(),
                    ErrorCode::kInvalidArgument,
                    "--certificate and --key: are for --listen");
      VOXLOOM_CHECK(ca.empty() || tls, ErrorCode::kInvalidArgument, "--ca: needs --tls");
      return;
    }
    VOXLOOM_CHECK(!tls && ca.empty() && !no_follow,
                  ErrorCode::kInvalidArgument,
                  "--tls, --ca and --no-follow: are for --connect; --listen takes --certificate "
                  "and --key");
    VOXLOOM_CHECK(certificate.empty() == key.empty(),
                  ErrorCode::kInvalidArgument,
                  "--certificate and --key: give both");
  }
};

/// Whether a pushed record is wanted: a pushing server sends all, the filter is here.
class Wanted {
 public:
  explicit Wanted(serve::LogFilter filter) : filter_(std::move(filter)) {}
  bool operator()(std::string_view line) const {
    const auto json = read_json(line).value;
    if (!json.is_object()) return false;
    try {
      if (serve::parse_level(json.value("level", "error")) < filter_.level) return false;
      if (filter_.request != 0 && json.value("request", uint64_t{0}) != filter_.request) {
        return false;
      }
      return filter_.client.empty() || json.value("client", "") == filter_.client;
    } catch (const std::exception&) {
      return false;  // a part of another type: no record of ours
    }
  }

 private:
  serve::LogFilter filter_;
};

int run_logs(LogsArgs& args, Context& context) {
  const bool json = context.common.json;
  const bool colour = !json && ::isatty(STDOUT_FILENO) != 0 && ::getenv("NO_COLOR") == nullptr;
  const serve::LogFilter filter{
      serve::parse_level(args.level), static_cast<uint64_t>(args.request), args.client};
  const Wanted wanted(filter);
  const bool here = !args.listen.empty();

  serve::FollowEvents events;
  events.on_line = [&](std::string_view line) {
    if (here && !wanted(line)) return;
    // A line each: who reads them through a pipe sees them at once.
    std::cout << (json ? std::string(line) : serve::render_record(line, colour)) << std::endl;
  };
  if (!context.common.quiet) {
    events.on_state = [](const std::string& text) {
      std::cerr << "voxloom logs: " << text << "\n";
    };
    events.on_listening = [](uint16_t port) {
      std::cerr << "voxloom logs: taking logs at port " << port << "\n";
    };
  }

  const std::string token = serve::read_log_token(args.token_file);
  context.own_json = json;
  if (here) {
    serve::ReceiveOptions options;
    options.at = serve::parse_log_endpoint(args.listen);
    options.token = token;
    options.certificate = args.certificate;
    options.private_key = args.key;
    (void)serve::receive_log(options, events, context.stop);
    return 0;
  }
  serve::FollowOptions options;
  options.server = serve::parse_log_endpoint(args.connect);
  options.token = token;
  options.request = {filter, static_cast<size_t>(args.lines)};
  options.tls = args.tls;
  options.ca = args.ca;
  options.once = args.no_follow;
  (void)serve::follow_log(options, events, context.stop);
  return 0;
}

}  // namespace

Command logs_command() {
  return make_command<LogsArgs>(
      {.name = "logs",
       .summary = "Follow the log of a running server.",
       .details =
           "--connect goes to a server that was started with --log-listen; --listen waits for "
           "servers that were started with --log-push. Both sides need the same log token, 16 to "
           "256 characters; a server says nothing to who has another one.\n\n"
           "Lost connections are made again, and the records of the break are fetched as far as "
           "the server still has them. A monitor that is too slow is told how many records it "
           "missed. With --json each record is printed as the JSON line that it is. Ctrl-C "
           "ends.\n\n"
           "Names of clients never reach a log: a record carries a label (c-...) that is the same "
           "for a client while the server runs. --connect with --client takes either.",
       .examples = {{"voxloom logs --connect 127.0.0.1:8001 --token-file token",
                     "the last 20 records, then each as it comes"},
                    {"voxloom logs --connect host:8001 --tls --ca cert.pem --level warn",
                     "warnings and errors, over TLS"},
                    {"voxloom logs --listen 0.0.0.0:9001 --json >>all.jsonl",
                     "collect what several servers send"}},
       .references = {}},
      run_logs);
}

}  // namespace voxloom::app
