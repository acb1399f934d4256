// Disassembly: the guest's code by Zydis, the host's by Capstone, a line at a time, for people.
#pragma once

#include <Zydis/Zydis.h>

#include <memory>
#include <span>
#include <string>

#include "cpu-model/instruction.h"

namespace ringshift::bt {

// "8b 43 04 ".
std::string hex_bytes(const u8* bytes, std::size_t count);

// Intel syntax.
class GuestDisassembler {
 public:
  explicit GuestDisassembler(CodeMode mode);
  // The instruction that these bytes begin with, standing at eip; length 0: there is none.
  struct Line {
    std::string text;
    u8 length;
  };
  Line line(std::span<const u8> bytes, u32 eip) const;

 private:
  ZydisDecoder decoder_;
  ZydisFormatter formatter_;
};

class HostDisassembler {
 public:
  HostDisassembler();
  HostDisassembler(const HostDisassembler&) = delete;
  ~HostDisassembler();
  // The instruction that these bytes begin with, standing at `address`; length 0: there is none.
  struct Line {
    std::string mnemonic;
    std::string operands;
    u8 length;
  };
  Line line(std::span<const u8> bytes, u64 address);

 private:
  struct Handle;
  std::unique_ptr<Handle> handle_;
};

}  // namespace ringshift::bt
