// EscapeParser: finds Ctrl-A commands in what is typed (QEMU's mux characters).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/types.h"

namespace ringshift {

enum class EscapeCommand { none, quit, monitor, help };

class EscapeParser {
 public:
  struct Item {
    EscapeCommand command;  // none: plain bytes
    std::vector<u8> bytes;  // for the guest
  };

  // Splits input into plain bytes and commands, in order. A Ctrl-A at the end waits for the next call.
  std::vector<Item> parse(std::span<const u8> input);

 private:
  bool escaped_ = false;
};

inline constexpr const char* kEscapeHelp =
    "\n"
    "Ctrl-A H    this help\n"
    "Ctrl-A X    end the machine\n"
    "Ctrl-A C    switch between the guest's console and the monitor\n"
    "Ctrl-A A    send Ctrl-A to the guest\n";

}  // namespace ringshift
