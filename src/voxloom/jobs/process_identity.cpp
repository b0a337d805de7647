#include "voxloom/jobs/process_identity.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <vector>

#include <unistd.h>

#include "voxloom/core/format.h"

namespace voxloom::jobs {
namespace {

struct Identity {
  std::string host, boot, space, pid, start;
};

std::string first_word(const char* file) {
  std::ifstream in(file);
  std::string word;
  in >> word;
  return word;
}

/// Field 22 of /proc/PID/stat: ticks from the start of the system; empty: no such process.
std::string start_ticks(const std::string& pid) {
  std::ifstream in("/proc/" + pid + "/stat");
  std::string text;
  std::getline(in, text);
  // The second field, the program's name in brackets, may hold anything.
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream fields(text.substr(name_end + 1));
  std::string state, field;
  fields >> state;
  if (state == "Z" || state == "X") return {};  // ended, not yet waited for
  for (int number = 4; number <= 22; ++number) fields >> field;
  return field;
}

Identity own_identity() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host = {"unknown"};
  std::error_code error;
  const auto space = std::filesystem::read_symlink("/proc/self/ns/pid", error);
  const std::string pid = std::to_string(::getpid());
  return {.host = host.data(),
          .boot = first_word("/proc/sys/kernel/random/boot_id"),
          .space = space.string(),
          .pid = pid,
          .start = start_ticks(pid)};
}

std::optional<Identity> parse_identity(std::string_view text) {
  std::vector<std::string> parts;
  while (true) {
    const size_t slash = text.find('/');
    parts.emplace_back(text.substr(0, slash));
    if (slash == std::string_view::npos) break;
    text.remove_prefix(slash + 1);
  }
  if (parts.size() != 5 || parts[3].empty() ||
      parts[3].find_first_not_of("0123456789") != std::string::npos) {
    return std::nullopt;
  }
  return Identity{parts[0], parts[1], parts[2], parts[3], parts[4]};
}

}  // namespace

std::string process_identity() {
  const Identity self = own_identity();
  return format("{}/{}/{}/{}/{}", self.host, self.boot, self.space, self.pid, self.start);
}

Liveness liveness(std::string_view identity) {
  const auto other = parse_identity(identity);
  if (!other) return Liveness::kDead;
  const Identity self = own_identity();
  if (other->host != self.host) return Liveness::kUnknown;
  if (other->boot != self.boot) return Liveness::kDead;
  if (other->space != self.space) return Liveness::kUnknown;
  return start_ticks(other->pid) == other->start ? Liveness::kAlive : Liveness::kDead;
}

}  // namespace voxloom::jobs
