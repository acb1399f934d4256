// What device tests share: time that stands still, wires that remember, and a board's worth of devices.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "devices/backend/char_backend.h"
#include "devices/bus.h"
#include "devices/clock.h"
#include "devices/cpu_signals.h"
#include "devices/interrupt_line.h"

namespace ringshift::test {

struct FakeTime final : TimeSource {
  u64 now_ns() override { return ns += step; }
  u64 ns = 0;
  u64 step = 0;  // what each look at the clock takes
};

// Moves time to `until`, stopping at each deadline on the way.
inline void run_until(Clock& clock, FakeTime& time, u64 until) {
  while (clock.next_deadline() <= until) {
    time.ns = std::max(time.ns, clock.next_deadline());
    clock.run_due();
  }
  time.ns = until;
}

struct Wire final : InterruptSink {
  void set_line(unsigned, bool now) override {
    level = now;
    edges += now ? 1 : 0;
  }
  InterruptLine line() { return InterruptLine(this, 0); }
  bool level = false;
  int edges = 0;
};

struct Signals final : CpuSignals {
  void set_intr(bool level) override { intr = level; }
  void raise_nmi() override { ++nmis; }
  void set_a20_masked(bool masked) override { a20_masked = masked; }
  void request_init() override { ++inits; }
  bool intr = false;
  bool a20_masked = false;
  int nmis = 0;
  int inits = 0;
};

struct Power final : PowerControl {
  void power_off() override { ++offs; }
  void reset() override { ++resets; }
  void exit_with(int code) override { status = code; }
  int offs = 0;
  int resets = 0;
  int status = -1;
};

struct TextBackend final : CharBackend {
  void write(std::span<const u8> bytes) override {
    text.append(bytes.begin(), bytes.end());
    ++writes;
  }
  void receiver_ready() override { ++ready; }
  void type(std::string_view input) {
    receiver_->receive({reinterpret_cast<const u8*>(input.data()), input.size()});
  }
  unsigned room() { return receiver_->can_receive(); }
  std::string text;
  int writes = 0;
  int ready = 0;
};

template <class T>
std::vector<u8> saved(const T& device) {
  StateWriter out;
  device.save(out);
  return out.bytes();
}

// Restores `into` from what `from` saves; both must then save the same, and consume all of it.
template <class T>
void expect_copy(const T& from, T& into) {
  const std::vector<u8> bytes = saved(from);
  StateReader in(bytes);
  into.restore(in);
  EXPECT_FALSE(in.failed());
  EXPECT_TRUE(in.at_end());
  EXPECT_EQ(saved(into), bytes);
}

}  // namespace ringshift::test
