#include "voxloom/core/rank_environment.h"

#include <charconv>
#include <cstdlib>

#include "voxloom/core/error.h"

namespace voxloom {
namespace {

constexpr uint16_t kDefaultPort = 29500;  // torchrun's
constexpr int64_t kMaxRanks = 65536;

std::optional<int64_t> parse_integer(std::string_view text) {
  int64_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

int64_t integer_within(std::string_view name, const std::string& text, int64_t lo, int64_t hi) {
  const auto value = parse_integer(text);
  VOXLOOM_CHECK(value && *value >= lo && *value <= hi,
                ErrorCode::kInvalidArgument,
                "environment variable {}: must be a whole number within [{}, {}], got '{}'",
                name,
                lo,
                hi,
                text);
  return *value;
}

/// The variables of one launcher.
struct Names {
  const char* rank;
  const char* size;
  const char* local_rank;
};

class Reader {
 public:
  explicit Reader(const EnvironmentLookup& variable) : variable_(variable) {}

  [[nodiscard]] bool has(const char* name) const { return variable_(name).has_value(); }

  [[nodiscard]] std::optional<int64_t> number(const char* name, int64_t lo, int64_t hi) const {
    const auto text = variable_(name);
    if (!text) return std::nullopt;
    return integer_within(name, *text, lo, hi);
  }

  [[nodiscard]] std::string text(const char* name) const {
    return variable_(name).value_or(std::string());
  }

  /// Nothing for a world of one.
  [[nodiscard]] std::optional<RankInfo> place(const Names& names) const {
    const auto size = number(names.size, 1, kMaxRanks);
    VOXLOOM_CHECK(size.has_value(),
                  ErrorCode::kInvalidArgument,
                  "environment variable {}: must be set beside {}, got nothing",
                  names.size,
                  names.rank);
    const auto rank = number(names.rank, 0, *size - 1);
    VOXLOOM_CHECK(rank.has_value(),
                  ErrorCode::kInvalidArgument,
                  "environment variable {}: must be set beside {}, got nothing",
                  names.rank,
                  names.size);
    if (*size == 1) return std::nullopt;
    RankInfo info{.rank = *rank, .world_size = *size, .local_rank = 0, .master_host = {}};
    info.local_rank = number(names.local_rank, 0, *size - 1).value_or(0);
    info.master_host = text("MASTER_ADDR");
    info.master_port = static_cast<uint16_t>(number("MASTER_PORT", 1, 65535).value_or(0));
    return info;
  }

 private:
  const EnvironmentLookup& variable_;
};

RankInfo met_by_variables(RankInfo info) {
  VOXLOOM_CHECK(!info.master_host.empty() && info.master_port != 0,
                ErrorCode::kInvalidArgument,
                "environment variables MASTER_ADDR and MASTER_PORT: must say where rank 0 of {} "
                "ranks is, got '{}' and {}",
                info.world_size,
                info.master_host,
                info.master_port);
  return info;
}

RankInfo met_on_one_machine(RankInfo info, bool one_machine, const char* launcher) {
  VOXLOOM_CHECK(!info.master_host.empty() || one_machine,
                ErrorCode::kInvalidArgument,
                "environment variable MASTER_ADDR: must name rank 0's machine where {} runs {} "
                "ranks on several machines, got nothing",
                launcher,
                info.world_size);
  if (info.master_host.empty()) info.master_host = "127.0.0.1";
  if (info.master_port == 0) info.master_port = kDefaultPort;
  return info;
}

RankInfo met_in_slurm(RankInfo info, const Reader& read) {
  if (info.master_host.empty()) {
    const char* name = read.has("SLURM_STEP_NODELIST") ? "SLURM_STEP_NODELIST" : "SLURM_NODELIST";
    if (!read.has(name)) name = "SLURM_JOB_NODELIST";
    info.master_host = first_slurm_host(read.text(name));
  }
  if (info.master_port == 0) {
    // Two jobs on one machine meet at different ports.
    const auto job = read.number("SLURM_JOB_ID", 0, INT64_MAX).value_or(0);
    info.master_port = static_cast<uint16_t>(20000 + job % 20000);
  }
  return info;
}

}  // namespace

std::string first_slurm_host(std::string_view node_list) {
  const auto bad = [&] {
    return Error(ErrorCode::kInvalidArgument,
                 format("slurm node list: must be like 'gpu[03-05],cpu1', got '{}'", node_list));
  };
  const std::string_view end_of_first = ",[";
  const size_t end = node_list.find_first_of(end_of_first);
  std::string host(node_list.substr(0, end));
  if (end != std::string_view::npos && node_list[end] == '[') {
    const std::string_view inside = node_list.substr(end + 1);
    const size_t close = inside.find(']');
    if (close == std::string_view::npos) throw bad();
    const std::string_view number = inside.substr(0, inside.find_first_of(",-]"));
    if (number.empty() || !parse_integer(number)) throw bad();
    host += number;
    // What stands behind the brackets, up to the next host: "rack[1-2]-a".
    const std::string_view rest = inside.substr(close + 1);
    host += rest.substr(0, rest.find(','));
  }
  if (host.empty() || host.find_first_of("[]") != std::string::npos) throw bad();
  return host;
}

HostPort parse_host_port(std::string_view text, std::string_view where) {
  const size_t colon = text.rfind(':');
  HostPort out;
  std::optional<int64_t> port;
  if (colon != std::string_view::npos) {
    port = parse_integer(text.substr(colon + 1));
    std::string_view host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) {
      host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string_view::npos) {
      host = {};
    }
    out.host = host;
  }
  VOXLOOM_CHECK(!out.host.empty() && port && *port >= 1 && *port <= 65535,
                ErrorCode::kInvalidArgument,
                "{}: must be HOST:PORT with a port within [1, 65535], got '{}'",
                where,
                text);
  out.port = static_cast<uint16_t>(*port);
  return out;
}

std::optional<RankInfo> rank_from_environment(const EnvironmentLookup& variable) {
  const Reader read(variable);
  std::optional<RankInfo> info;
  if (read.has("RANK") || read.has("WORLD_SIZE")) {
    info = read.place({"RANK", "WORLD_SIZE", "LOCAL_RANK"});
    if (info) info = met_by_variables(*std::move(info));
  } else if (read.has("OMPI_COMM_WORLD_RANK")) {
    info =
        read.place({"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"});
    const auto local = read.number("OMPI_COMM_WORLD_LOCAL_SIZE", 1, kMaxRanks);
    if (info) info = met_on_one_machine(*info, local == info->world_size, "Open MPI");
  } else if (read.has("PMI_RANK")) {
    info = read.place({"PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"});
    const auto local = read.number("MPI_LOCALNRANKS", 1, kMaxRanks);
    if (info) info = met_on_one_machine(*info, local == info->world_size, "MPI");
  } else if (read.has("SLURM_PROCID")) {
    const bool step = read.has("SLURM_STEP_NUM_TASKS");
    info = read.place(
        {"SLURM_PROCID", step ? "SLURM_STEP_NUM_TASKS" : "SLURM_NTASKS", "SLURM_LOCALID"});
    if (info) info = met_in_slurm(*std::move(info), read);
  }
  return info;
}

std::optional<RankInfo> rank_from_environment() {
  return rank_from_environment([](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string(name).c_str());
    if (value == nullptr || *value == '\0') return std::nullopt;
    return std::string(value);
  });
}

}  // namespace voxloom
