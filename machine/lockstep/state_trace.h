// StateTrace: VcpuState after each of many steps, kept as what each step changed.
#pragma once

#include <cstddef>
#include <vector>

#include "cpu-model/vcpu_state.h"

namespace ringshift {

class StateTrace {
 public:
  void append(const VcpuState& state);
  std::size_t size() const { return entries_.size(); }
  VcpuState at(std::size_t index) const;

 private:
  static constexpr std::size_t kLine = 64;
  static constexpr std::size_t kLines = (sizeof(VcpuState) + kLine - 1) / kLine;
  static_assert(kLines <= 32);
  static constexpr std::size_t kWholeEvery = 1024;  // so that at() need not go far back
  struct alignas(16) Lines {
    u8 bytes[kLines * kLine];
  };
  struct Entry {
    u32 changed;  // bit n: line n
    std::size_t bytes_at;
  };
  std::vector<Entry> entries_;
  std::vector<u8> bytes_;
  Lines last_{};
};

}  // namespace ringshift
