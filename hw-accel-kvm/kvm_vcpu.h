// KvmVcpu: one virtual CPU of KVM's: its descriptor, the page it shares with the kernel, and its requests.
#pragma once

#include "base/result.h"
#include "base/types.h"
#include "base/unique_fd.h"
#include "hw-accel-kvm/kvm_abi.h"
#include "hw-accel-kvm/kvm_system.h"
#include "hw-accel-kvm/kvm_vm.h"

namespace ringshift {

class KvmVcpu {
 public:
  static Result<KvmVcpu> create(const KvmSystem& system, const KvmVm& vm);
  KvmVcpu(KvmVcpu&& other) noexcept;
  KvmVcpu& operator=(KvmVcpu&&) = delete;
  ~KvmVcpu();

  // What KVM_RUN takes and gives.
  kvm_run& shared() { return *shared_; }
  // KVM_RUN: 0, or errno.
  int run();
  // Another request; `name` is what an error calls it.
  template <class T>
  Result<void> request(unsigned long number, T* argument, const char* name) const {
    return ask(number, reinterpret_cast<unsigned long>(argument), name);
  }
  Result<void> ask(unsigned long number, unsigned long argument, const char* name) const;
  int fd() const { return fd_.get(); }

 private:
  KvmVcpu(UniqueFd fd, kvm_run* shared, std::size_t shared_size)
      : fd_(std::move(fd)), shared_(shared), shared_size_(shared_size) {}
  UniqueFd fd_;
  kvm_run* shared_;
  std::size_t shared_size_;
};

}  // namespace ringshift
