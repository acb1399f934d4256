// The queue of work for a vCPU's thread.
#include "machine/work_queue.h"

#include <poll.h>
#include <sys/eventfd.h>

#include "base/check.h"
#include "base/types.h"

namespace ringshift {

WorkQueue::WorkQueue(RunControl& control)
    : control_(control), event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  RS_CHECK(event_);
}

void WorkQueue::post(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    work_.push_back(std::move(work));
  }
  control_.raise_event(kEventService);
  wake();
}

void WorkQueue::wake() {
  // Fails only when the counter is full, and then the vCPU wakes anyway.
  [[maybe_unused]] const int ignored = ::eventfd_write(event_.get(), 1);
}

void WorkQueue::run() {
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard lock(mutex_);
    work.swap(work_);
  }
  for (auto& item : work) item();
}

void WorkQueue::wait(i64 timeout_ns) {
  constexpr i64 kSecond = 1'000'000'000;
  pollfd poll{.fd = event_.get(), .events = POLLIN, .revents = 0};
  const timespec timeout{.tv_sec = timeout_ns / kSecond, .tv_nsec = timeout_ns % kSecond};
  if (::ppoll(&poll, 1, timeout_ns < 0 ? nullptr : &timeout, nullptr) <= 0) return;
  eventfd_t ignored;
  ::eventfd_read(event_.get(), &ignored);
}

}  // namespace ringshift
