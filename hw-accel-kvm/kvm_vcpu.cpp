// Making and asking a KVM virtual CPU.
#include "hw-accel-kvm/kvm_vcpu.h"

#include <sys/ioctl.h>
#include <sys/mman.h>

#include <cerrno>
#include <utility>

namespace ringshift {

Result<KvmVcpu> KvmVcpu::create(const KvmSystem& system, const KvmVm& vm) {
  const int size = ::ioctl(system.fd(), KVM_GET_VCPU_MMAP_SIZE, 0);
  if (size < static_cast<int>(sizeof(kvm_run)))
    return tl::unexpected(kvm_error("KVM_GET_VCPU_MMAP_SIZE", errno));
  UniqueFd fd(::ioctl(vm.fd(), KVM_CREATE_VCPU, 0));
  if (!fd) return tl::unexpected(kvm_error("KVM_CREATE_VCPU", errno));
  const auto length = static_cast<std::size_t>(size);
  void* shared = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (shared == MAP_FAILED) return tl::unexpected(kvm_error("mmap of a vCPU", errno));
  return KvmVcpu(std::move(fd), static_cast<kvm_run*>(shared), length);
}

KvmVcpu::KvmVcpu(KvmVcpu&& other) noexcept
    : fd_(std::move(other.fd_)),
      shared_(std::exchange(other.shared_, nullptr)),
      shared_size_(other.shared_size_) {}

KvmVcpu::~KvmVcpu() {
  if (shared_ != nullptr) ::munmap(shared_, shared_size_);
}

int KvmVcpu::run() { return ::ioctl(fd_.get(), KVM_RUN, 0) < 0 ? errno : 0; }

Result<void> KvmVcpu::ask(unsigned long number, unsigned long argument, const char* name) const {
  if (::ioctl(fd_.get(), number, argument) < 0) return tl::unexpected(kvm_error(name, errno));
  return {};
}

}  // namespace ringshift
