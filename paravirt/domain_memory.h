// DomainMemory: a Xen domain's memory as its devices and hypercalls reach it: by machine frame, or by
// address.
#pragma once

#include "base/types.h"

namespace ringshift {

using Mfn = u32;  // a machine frame number; from the guest unless said otherwise, so any value may come

// Which frames are the domain's, and of what type, is asked at every access, so that none of these can reach
// what the guest could not reach itself. All calls are made on the vCPU's thread while the guest stands
// still.
class DomainMemory {
 public:
  virtual ~DomainMemory() = default;

  // Copies within one frame that the domain owns (frames that Xen shares with it are among these).
  // offset + length <= kPageSize: the caller sees to that. False, and nothing done, if the frame isn't the
  // domain's; for writing also if it is a page table or a descriptor table.
  virtual bool read_frame(Mfn mfn, u32 offset, void* data, u32 length) = 0;
  virtual bool write_frame(Mfn mfn, u32 offset, const void* data, u32 length) = 0;

  // Copies hypercall arguments at a virtual address, as the guest's kernel would reach it. False: -EFAULT;
  // bytes before the fault may have been copied.
  virtual bool copy_from_guest(void* data, Gva from, u32 length) = 0;
  virtual bool copy_to_guest(Gva to, const void* data, u32 length) = 0;

  template <class T>
  bool copy_from_guest(T& value, Gva from) {
    return copy_from_guest(static_cast<void*>(&value), from, sizeof value);
  }
  template <class T>
  bool copy_to_guest(Gva to, const T& value) {
    return copy_to_guest(to, static_cast<const void*>(&value), sizeof value);
  }
};

// One shared page, by its fields: DomainMemory's frame with a type.
template <class Layout>
class SharedPage {
 public:
  static_assert(sizeof(Layout) <= kPageSize);
  SharedPage(DomainMemory& memory, Mfn mfn) : memory_(memory), mfn_(mfn) {}

  template <class T>
  bool read(std::size_t offset, T& value) const {
    return memory_.read_frame(mfn_, static_cast<u32>(offset), &value, sizeof value);
  }
  template <class T>
  bool write(std::size_t offset, const T& value) {
    return memory_.write_frame(mfn_, static_cast<u32>(offset), &value, sizeof value);
  }
  bool read_bytes(std::size_t offset, void* data, std::size_t length) const {
    return memory_.read_frame(mfn_, static_cast<u32>(offset), data, static_cast<u32>(length));
  }
  bool write_bytes(std::size_t offset, const void* data, std::size_t length) {
    return memory_.write_frame(mfn_, static_cast<u32>(offset), data, static_cast<u32>(length));
  }
  Mfn mfn() const { return mfn_; }

 private:
  DomainMemory& memory_;
  Mfn mfn_;
};

}  // namespace ringshift
