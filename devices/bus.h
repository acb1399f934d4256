// The I/O port bus and the MMIO bus: from an address to the device that claims it.
//
// Unclaimed reads give all ones, unclaimed writes vanish; neither logs more than a trace line. An overlap is
// an error at insertion.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/zeroed_array.h"
#include "devices/device.h"

namespace ringshift {

class IoBus {
 public:
  // Claims [first, first + count). `widest`: accesses wider than this many bytes are split into
  // bytes-or-words of that width at successive ports, as the ISA bus does; also split where a wide access
  // leaves the range.
  Result<void> insert(u16 first, unsigned count, PortHandler& handler, std::string_view name,
                      unsigned widest = 1);
  u32 read(u16 port, unsigned size);
  void write(u16 port, unsigned size, u32 value);

  struct Claim {
    u16 first;
    unsigned count;
    unsigned widest;
    PortHandler* handler;
    std::string name;
    u64 accesses = 0;
  };
  const std::vector<std::unique_ptr<Claim>>& claims() const { return claims_; }
  u64 unclaimed() const { return unclaimed_; }

 private:
  std::vector<std::unique_ptr<Claim>> claims_;
  ZeroedArray<Claim*> by_port_{65536};
  u64 unclaimed_ = 0;
};

class MmioBus {
 public:
  Result<void> insert(Gpa first, u64 length, MmioHandler& handler, std::string_view name);
  // Within one page; a straddle of a range's end is served byte by byte.
  u64 read(Gpa gpa, unsigned size);
  void write(Gpa gpa, unsigned size, u64 value);

  struct Claim {
    Gpa first;
    u64 length;
    MmioHandler* handler;
    std::string name;
    u64 accesses = 0;
  };
  const std::vector<std::unique_ptr<Claim>>& claims() const { return claims_; }
  u64 unclaimed() const { return unclaimed_; }

 private:
  Claim* find(Gpa gpa);
  std::vector<std::unique_ptr<Claim>> claims_;  // sorted by first
  u64 unclaimed_ = 0;
};

}  // namespace ringshift
