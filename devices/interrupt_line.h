// InterruptLine: one wire from a device to a controller's input.
#pragma once

#include "base/types.h"

namespace ringshift {

class InterruptSink {
 public:
  virtual void set_line(unsigned input, bool level) = 0;

 protected:
  ~InterruptSink() = default;
};

// A device holds it by value; unconnected by default. Remembers its level, tells the sink of changes only.
class InterruptLine {
 public:
  InterruptLine() = default;
  InterruptLine(InterruptSink* sink, unsigned input) : sink_(sink), input_(input) {}

  void set(bool level) {
    if (level == level_) return;
    level_ = level;
    if (sink_ != nullptr) sink_->set_line(input_, level);
  }
  bool level() const { return level_; }

 private:
  InterruptSink* sink_ = nullptr;
  unsigned input_ = 0;
  bool level_ = false;
};

}  // namespace ringshift
