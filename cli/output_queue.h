// OutputQueue: bytes on their way from the vCPU's thread to stdout, written by the I/O thread.
//
// A terminal that is stopped (Ctrl-S) or a full pipe holds up the guest's output, but neither the I/O
// thread's other work nor the end of the program. A guest writes byte by byte: the first wakes the I/O
// thread, which then lets more gather for a while before it looks again, or each byte would cost two changes
// of context.
#pragma once

#include <condition_variable>
#include <mutex>
#include <span>
#include <vector>

#include "base/types.h"
#include "base/unique_fd.h"

namespace ringshift {

class OutputQueue {
 public:
  // wake: an eventfd that is written when there is something to do.
  explicit OutputQueue(int wake);

  // From any thread. Waits while the queue is full, unless it is closed.
  void put(std::span<const u8> bytes);
  // Without waiting, for the I/O thread itself.
  void put_now(std::span<const u8> bytes);
  // The descriptor to poll for POLLOUT while has_output().
  int fd() const { return fd_; }
  bool has_output();
  // Writes some; on the I/O thread. After an error says so once, and drops what follows. From then on put()
  // wakes nobody, until end_gathering(), which is to be called kGatherNs later.
  void write_some();
  static constexpr i64 kGatherNs = 2'000'000;
  void end_gathering();
  // No one waits in put() any more.
  void close();
  // Blocking, for panics: tries to write what is there, without waiting for locks.
  void emergency_flush();

 private:
  static constexpr std::size_t kLimit = 256 << 10;
  static constexpr std::size_t kChunk = 4096;  // a pipe that polls ready takes as much without blocking
  const int wake_;
  UniqueFd own_;
  int fd_;
  bool blocking_ = true;
  std::mutex mutex_;
  std::condition_variable room_;
  std::vector<u8> bytes_;
  bool attended_ = false;  // the I/O thread looks again by itself
  bool closed_ = false;
  bool failed_ = false;
};

}  // namespace ringshift
