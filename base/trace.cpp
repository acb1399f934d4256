// The words of -d, and where trace output goes.
#include "base/trace.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "base/messages.h"

namespace ringshift {

namespace {
constexpr std::array<std::pair<std::string_view, TracePoint>, 9> kWords{{
    {"int", TracePoint::interrupts},
    {"in_asm", TracePoint::in_asm},
    {"out_asm", TracePoint::out_asm},
    {"exec", TracePoint::exec},
    {"cpu_reset", TracePoint::cpu_reset},
    {"io", TracePoint::io},
    {"mmu", TracePoint::mmu},
    {"verify", TracePoint::verify},
    {"sensitive", TracePoint::sensitive},
}};

std::string known_words() {
  std::string list;
  for (const auto& [word, point] : kWords) list += (list.empty() ? "" : ", ") + std::string(word);
  return list;
}
}  // namespace

Result<void> Tracer::enable(std::string_view words) {
  while (!words.empty()) {
    const auto comma = words.find(',');
    const auto word = words.substr(0, comma);
    words = comma == std::string_view::npos ? std::string_view{} : words.substr(comma + 1);
    bool known = false;
    for (const auto& [name, point] : kWords) {
      if (name != word) continue;
      mask_ |= static_cast<u32>(point);
      known = true;
    }
    if (!known) return fail(ErrorKind::usage, "-d does not know '{}'; it knows {}", word, known_words());
  }
  return {};
}

Result<void> Tracer::open(const char* path) {
  file_.reset(std::fopen(path, "we"));
  if (!file_) return fail(ErrorKind::usage, "-D {}: {}", path, std::strerror(errno));
  return {};
}

void Tracer::Closer::operator()(std::FILE* file) const {
  if (std::fclose(file) != 0) tell("writing the trace failed ({}); its end is lost", std::strerror(errno));
}

void Tracer::put(std::string_view text) {
  if (mask_ == 0) return;
  std::FILE* out = file_ ? file_.get() : stderr;
  if (std::fwrite(text.data(), 1, text.size(), out) == text.size()) return;
  const int error = errno;
  mask_ = 0;
  if (file_) std::fclose(file_.release());  // what is buffered can't be written either
  tell("writing the trace failed ({}); tracing is off from here on", std::strerror(error));
}

}  // namespace ringshift
