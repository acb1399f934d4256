// KvmSystem: /dev/kvm, opened and found fit to run guests; and every reason why it may not be.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

namespace ringshift {

inline constexpr const char* kKvmDevice = "/dev/kvm";

class KvmSystem {
 public:
  // Fails with ErrorKind::engine_unavailable, and says what to do: no such device, no permission, not KVM,
  // too old a kernel. path: another one only in tests.
  static Result<KvmSystem> open(const char* path = kKvmDevice);

  int fd() const { return fd_.get(); }
  // KVM_CHECK_EXTENSION: 0 for no.
  int extension(unsigned long capability) const;

 private:
  explicit KvmSystem(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

// What of KVM's an ioctl was refused, for a person to read.
Error kvm_error(const char* request, int error);

}  // namespace ringshift
