// ProcessStub: the only pages of a guest process that aren't the guest's: a loop of system calls, and their
// list.
//
// They stand far above 4 GiB. The guest's code reaches them only in 64-bit mode, finds no more than is here,
// and its own system calls are never executed (guest_process.h).
#pragma once

#include <span>

#include "base/result.h"
#include "base/types.h"
#include "base/unique_fd.h"

namespace ringshift {

struct StubCall {
  u64 number;
  u64 arguments[6];
  u64 unused;
};
static_assert(sizeof(StubCall) == 64);

class ProcessStub {
 public:
  static constexpr u64 kAddress = u64{0x5a5a} << 32;  // in guest processes
  static constexpr u64 kLength = 2 * kPageSize;       // code, then list and data
  static constexpr u64 kCallsAt = kAddress + kPageSize;
  static constexpr unsigned kMaxCalls = 32;
  static constexpr u64 kDataAt = kCallsAt + kMaxCalls * sizeof(StubCall);
  static constexpr u64 kDataLength = kPageSize - kMaxCalls * sizeof(StubCall);

  static Result<ProcessStub> create();
  ProcessStub(ProcessStub&& other) noexcept;
  ProcessStub& operator=(ProcessStub&&) = delete;
  ~ProcessStub();

  int fd() const { return fd_.get(); }
  // Where the stub has come to its end: the address behind its INT3.
  u64 end_address() const;
  std::span<StubCall, kMaxCalls> calls() {
    return std::span<StubCall, kMaxCalls>(reinterpret_cast<StubCall*>(pages_ + kPageSize), kMaxCalls);
  }
  std::span<u8, kDataLength> data() {
    return std::span<u8, kDataLength>(pages_ + kPageSize + kMaxCalls * sizeof(StubCall), kDataLength);
  }
  // Leaves nothing in the list for a guest to read.
  void wipe();

 private:
  ProcessStub(UniqueFd fd, u8* pages) : fd_(std::move(fd)), pages_(pages) {}
  UniqueFd fd_;
  u8* pages_;
};

}  // namespace ringshift
