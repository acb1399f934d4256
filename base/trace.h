// Trace points: what `-d` turns on, and the file they write to.
//
// A Tracer belongs to a machine. Its mask is read inline, so that a point which is off costs one test.
#pragma once

#include <fmt/core.h>

#include <cstdio>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "base/types.h"

namespace ringshift {

// The words of -d, in QEMU's spelling.
enum class TracePoint : u32 {
  interrupts = 1u << 0,  // int: every exception and interrupt delivered
  in_asm = 1u << 1,      // guest code as it is translated
  out_asm = 1u << 2,     // host code emitted for it
  exec = 1u << 3,        // each block (bt) or instruction (interp) entered
  cpu_reset = 1u << 4,   // state at reset and triple fault
  io = 1u << 5,          // port and MMIO accesses
  mmu = 1u << 6,         // page walks that fault, flushes, window fills
  verify = 1u << 7,      // run each block by interp too, and compare
  sensitive = 1u << 8,   // trap: instructions that should have trapped and did not
};

class Tracer {
 public:
  Tracer() = default;

  bool on(TracePoint point) const { return (mask_ & static_cast<u32>(point)) != 0; }

  // Turns on the comma-separated points of `words`; an unknown word is a usage error that lists the known.
  Result<void> enable(std::string_view words);
  // Sends output to a file instead of stderr.
  Result<void> open(const char* path);

  template <class... Args>
  void write(fmt::format_string<Args...> format, Args&&... args) {
    put(fmt::format(format, std::forward<Args>(args)...));
  }
  // Writes text as it is. After a write error (a full disk) says so once on stderr and turns itself off.
  void put(std::string_view text);

 private:
  struct Closer {
    void operator()(std::FILE* file) const;  // says so if the end can't be written
  };
  u32 mask_ = 0;
  std::unique_ptr<std::FILE, Closer> file_;
};

}  // namespace ringshift
