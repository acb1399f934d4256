// Hand-over of typed bytes to the serial port, as it has room.
#include "cli/console_backend.h"

#include <algorithm>

namespace ringshift {

void ConsoleBackend::deliver() {
  if (delivering_ || receiver_ == nullptr) return;  // receive() may call receiver_ready()
  delivering_ = true;
  std::size_t done = 0;
  while (done < waiting_.size()) {
    const std::size_t count = std::min<std::size_t>(receiver_->can_receive(), waiting_.size() - done);
    if (count == 0) break;
    receiver_->receive({waiting_.data() + done, count});
    done += count;
  }
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(done));
  delivering_ = false;
  if (done != 0) events_.input_consumed(done);
}

}  // namespace ringshift
