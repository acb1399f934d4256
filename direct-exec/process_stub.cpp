// The stub's code, and the memory that the monitor and its guest processes share of it.
#include "direct-exec/process_stub.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

// RBX: the first call; RBP: how many. Ends with RBP = 0, or with the result that failed in RAX.
asm(R"(
        .pushsection .rodata
        .globl  ringshift_stub_begin, ringshift_stub_end
ringshift_stub_begin:
        movq    (%rbx), %rax
        movq    8(%rbx), %rdi
        movq    16(%rbx), %rsi
        movq    24(%rbx), %rdx
        movq    32(%rbx), %r10
        movq    40(%rbx), %r8
        movq    48(%rbx), %r9
        syscall
        cmpq    $-4095, %rax
        jae     1f
        addq    $64, %rbx
        decq    %rbp
        jnz     ringshift_stub_begin
1:      int3
ringshift_stub_end:
        .popsection
)");
extern "C" const ringshift::u8 ringshift_stub_begin[], ringshift_stub_end[];

namespace ringshift {

Result<ProcessStub> ProcessStub::create() {
  UniqueFd fd(::memfd_create("ringshift-stub", MFD_CLOEXEC));
  if (!fd || ::ftruncate(fd.get(), kLength) != 0)
    return fail(ErrorKind::engine_unavailable, "no memory to share with guest processes: {}",
                std::strerror(errno));
  void* const pages = ::mmap(nullptr, kLength, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (pages == MAP_FAILED)
    return fail(ErrorKind::engine_unavailable, "no memory to share with guest processes: {}",
                std::strerror(errno));
  std::memcpy(pages, ringshift_stub_begin,
              static_cast<std::size_t>(ringshift_stub_end - ringshift_stub_begin));
  return ProcessStub(std::move(fd), static_cast<u8*>(pages));
}

ProcessStub::ProcessStub(ProcessStub&& other) noexcept
    : fd_(std::move(other.fd_)), pages_(std::exchange(other.pages_, nullptr)) {}

ProcessStub::~ProcessStub() {
  if (pages_ != nullptr) ::munmap(pages_, kLength);
}

u64 ProcessStub::end_address() const {
  return kAddress + static_cast<u64>(ringshift_stub_end - ringshift_stub_begin);
}

void ProcessStub::wipe() { std::memset(pages_ + kPageSize, 0, kPageSize); }

}  // namespace ringshift
