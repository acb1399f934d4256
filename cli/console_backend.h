// ConsoleBackend: a serial port on the terminal: output to stdout, input from the I/O thread.
#pragma once

#include <vector>

#include "cli/host_events.h"
#include "devices/backend/char_backend.h"

namespace ringshift {

class ConsoleBackend final : public CharBackend {
 public:
  explicit ConsoleBackend(HostEvents& events) : events_(events) {}

  void write(std::span<const u8> bytes) override { events_.output().put(bytes); }
  void receiver_ready() override { deliver(); }
  // On the vCPU's thread: bytes were typed.
  void type(std::span<const u8> bytes) {
    waiting_.insert(waiting_.end(), bytes.begin(), bytes.end());
    deliver();
  }

 private:
  void deliver();

  HostEvents& events_;
  std::vector<u8> waiting_;  // bounded: the I/O thread stops reading when much is outstanding
  bool delivering_ = false;
};

}  // namespace ringshift
