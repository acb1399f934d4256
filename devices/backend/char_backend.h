// CharBackend: where a serial port's bytes go to and come from: the terminal, a file, nothing.
#pragma once

#include <span>

#include "base/types.h"

namespace ringshift {

// Receives bytes typed at the host; called on the vCPU's thread.
class CharReceiver {
 public:
  // How many bytes can be taken now; input beyond it waits in the backend.
  virtual unsigned can_receive() = 0;
  virtual void receive(std::span<const u8> bytes) = 0;

 protected:
  ~CharReceiver() = default;
};

class CharBackend {
 public:
  virtual ~CharBackend() = default;
  // Never blocks for long and never fails towards the guest; a backend that cannot write says so once.
  virtual void write(std::span<const u8> bytes) = 0;
  virtual void set_receiver(CharReceiver* receiver) { receiver_ = receiver; }
  // The receiver has room again.
  virtual void receiver_ready() {}

 protected:
  CharReceiver* receiver_ = nullptr;
};

class NullBackend final : public CharBackend {
 public:
  void write(std::span<const u8>) override {}
};

}  // namespace ringshift
