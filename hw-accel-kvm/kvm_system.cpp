// Opening of /dev/kvm, and what to say when that fails.
#include "hw-accel-kvm/kvm_system.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

#include "hw-accel-kvm/kvm_abi.h"

namespace ringshift {

namespace {
struct Needed {
  unsigned long capability;
  const char* name;
};
// All of them are in Linux 5.14 on every x86 CPU that KVM supports.
constexpr Needed kNeeded[] = {
    {KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"},
    {KVM_CAP_READONLY_MEM, "KVM_CAP_READONLY_MEM"},
    {KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR"},
    {KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"},
    {KVM_CAP_VCPU_EVENTS, "KVM_CAP_VCPU_EVENTS"},
    {KVM_CAP_DEBUGREGS, "KVM_CAP_DEBUGREGS"},
    {KVM_CAP_XSAVE, "KVM_CAP_XSAVE"},
    {KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID"},
    {KVM_CAP_SREGS2, "KVM_CAP_SREGS2"},
    {KVM_CAP_X86_USER_SPACE_MSR, "KVM_CAP_X86_USER_SPACE_MSR"},
    {KVM_CAP_X86_MSR_FILTER, "KVM_CAP_X86_MSR_FILTER"},
};

tl::unexpected<Error> cannot_open(const char* path, int error) {
  constexpr ErrorKind kind = ErrorKind::engine_unavailable;
  switch (error) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return fail(kind,
                  "engine kvm: there is no {}: the CPU (or the hypervisor around this machine) gives no VT-x "
                  "or AMD-V, firmware has turned it off, or the module isn't loaded (modprobe kvm-intel or "
                  "kvm-amd); -engine bt runs without it",
                  path);
    case EACCES:
    case EPERM:
      return fail(kind,
                  "engine kvm: no permission to open {}: join its group (as root: usermod -aG kvm USER, then "
                  "log in again); -engine bt runs without it",
                  path);
    default:
      return fail(kind, "engine kvm: cannot open {}: {}; -engine bt runs without it", path,
                  std::strerror(error));
  }
}
}  // namespace

Error kvm_error(const char* request, int error) {
  return {
      ErrorKind::engine_unavailable,
      fmt::format("engine kvm: {}: {}; `ringshift doctor` shows what KVM can do here, and -engine bt runs "
                  "without it",
                  request, std::strerror(error))};
}

int KvmSystem::extension(unsigned long capability) const {
  const int got = ::ioctl(fd_.get(), KVM_CHECK_EXTENSION, capability);
  return got < 0 ? 0 : got;
}

Result<KvmSystem> KvmSystem::open(const char* path) {
  UniqueFd fd(::open(path, O_RDWR | O_CLOEXEC));
  if (!fd) return cannot_open(path, errno);
  const int version = ::ioctl(fd.get(), KVM_GET_API_VERSION, 0);
  if (version != KVM_API_VERSION)
    return fail(ErrorKind::engine_unavailable, "engine kvm: {} does not speak KVM's API, version {}", path,
                KVM_API_VERSION);
  KvmSystem system(std::move(fd));
  for (const Needed& needed : kNeeded)
    if (system.extension(needed.capability) == 0)
      return fail(
          ErrorKind::engine_unavailable,
          "engine kvm: this kernel's KVM lacks {}: Linux 5.14 or newer has it; -engine bt runs without",
          needed.name);
  return system;
}

}  // namespace ringshift
