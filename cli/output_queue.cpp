// Writing of the guest's output to stdout.
#include "cli/output_queue.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/messages.h"

namespace ringshift {

OutputQueue::OutputQueue(int wake) : wake_(wake), fd_(STDOUT_FILENO) {
  // A second description of the terminal can be non-blocking without the shell seeing it.
  if (::isatty(STDOUT_FILENO) == 0) return;
  own_ = UniqueFd(::open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!own_) return;
  fd_ = own_.get();
  blocking_ = false;
}

void OutputQueue::put(std::span<const u8> bytes) {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [&] { return bytes_.size() < kLimit || closed_ || failed_; });
  if (failed_) return;
  const bool wake = bytes_.empty() && !attended_;
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  lock.unlock();
  if (wake) ::eventfd_write(wake_, 1);
}

void OutputQueue::put_now(std::span<const u8> bytes) {
  const std::lock_guard lock(mutex_);
  if (!failed_) bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

bool OutputQueue::has_output() {
  const std::lock_guard lock(mutex_);
  return !bytes_.empty();
}

void OutputQueue::write_some() {
  std::unique_lock lock(mutex_);
  attended_ = true;
  const std::size_t count = std::min(bytes_.size(), blocking_ ? kChunk : bytes_.size());
  if (count == 0) return;
  const std::vector<u8> chunk(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(count));
  lock.unlock();  // a slow terminal must not hold up put()
  const ssize_t written = ::write(fd_, chunk.data(), chunk.size());
  const int error = errno;
  lock.lock();
  if (written > 0) {
    bytes_.erase(bytes_.begin(), bytes_.begin() + written);
  } else if (written < 0 && error != EAGAIN && error != EINTR) {
    failed_ = true;
    bytes_.clear();
    tell("cannot write to stdout ({}); the guest's output is dropped from here on", std::strerror(error));
  }
  room_.notify_all();
}

void OutputQueue::end_gathering() {
  const std::lock_guard lock(mutex_);
  attended_ = !bytes_.empty();
}

void OutputQueue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  room_.notify_all();
}

void OutputQueue::emergency_flush() {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return;
  [[maybe_unused]] const ssize_t ignored = ::write(fd_, bytes_.data(), bytes_.size());
  bytes_.clear();
}

}  // namespace ringshift
