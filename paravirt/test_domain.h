// What tests of the Xen devices share: a domain's memory, and the guest's side of its pages.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "paravirt/domain_memory.h"
#include "paravirt/events/event_channels.h"

namespace ringshift::xen::test {

// Frames kFirst... are the domain's; hypercall arguments stand at kArguments, one page of them.
class FakeDomain final : public DomainMemory {
 public:
  static constexpr Mfn kFirst = 0x100;
  static constexpr u32 kFrames = 24;
  static constexpr Gva kArguments = 0x5000'0000;
  static constexpr u16 kDomain = 1;

  bool read_frame(Mfn mfn, u32 offset, void* data, u32 length) override {
    EXPECT_LE(offset, kPageSize);
    EXPECT_LE(length, kPageSize - offset);
    if (mfn - kFirst >= kFrames || foreign.contains(mfn)) return false;
    std::memcpy(data, page(mfn) + offset, length);
    return true;
  }
  bool write_frame(Mfn mfn, u32 offset, const void* data, u32 length) override {
    EXPECT_LE(offset, kPageSize);
    EXPECT_LE(length, kPageSize - offset);
    if (mfn - kFirst >= kFrames || foreign.contains(mfn) || page_tables.contains(mfn)) return false;
    std::memcpy(page(mfn) + offset, data, length);
    return true;
  }
  using DomainMemory::copy_from_guest;
  using DomainMemory::copy_to_guest;
  bool copy_from_guest(void* data, Gva from, u32 length) override {
    if (!in_arguments(from, length)) return false;
    std::memcpy(data, &arguments[from - kArguments], length);
    return true;
  }
  bool copy_to_guest(Gva to, const void* data, u32 length) override {
    if (!in_arguments(to, length) || read_only_arguments) return false;
    std::memcpy(&arguments[to - kArguments], data, length);
    return true;
  }

  // The guest's view.
  u8* page(Mfn mfn) { return &memory[(mfn - kFirst) * kPageSize]; }
  template <class T>
  T& as(Mfn mfn) {
    return *reinterpret_cast<T*>(page(mfn));
  }

  std::vector<u8> memory = std::vector<u8>(kFrames * kPageSize);
  std::array<u8, kPageSize> arguments{};
  bool read_only_arguments = false;
  std::set<Mfn> foreign;
  std::set<Mfn> page_tables;

 private:
  static bool in_arguments(Gva at, u32 length) {
    return at >= kArguments && at - kArguments <= kPageSize && length <= kPageSize - (at - kArguments);
  }
};

struct FakeSink final : EventSink {
  void upcall_pending() override { ++upcalls; }
  void port_pending(u32 port) override { ports.push_back(port); }
  int upcalls = 0;
  std::vector<u32> ports;
};

struct FakeListener final : EventListener {
  void on_event() override { ++events; }
  int events = 0;
};

// A domain with event channels. Frame 0 is shared_info.
struct EventRig {
  FakeDomain domain;
  FakeSink sink;
  EventChannels channels{domain, FakeDomain::kFirst, FakeDomain::kDomain, sink};

  xen32::shared_info_x86_32& shared() { return domain.as<xen32::shared_info_x86_32>(FakeDomain::kFirst); }
  xen32::vcpu_info_x86_32& vcpu() { return shared().vcpu_info[0]; }
  bool pending(u32 port) { return (shared().evtchn_pending[port / 32] >> (port % 32) & 1) != 0; }
  // The guest takes an event, as its upcall does.
  bool take(u32 port) {
    const bool was = pending(port);
    shared().evtchn_pending[port / 32] &= ~(u32{1} << (port % 32));
    vcpu().evtchn_pending_sel = 0;
    vcpu().evtchn_upcall_pending = 0;
    return was;
  }
  template <class Argument>
  int op(u32 command, Argument& argument) {
    std::memcpy(domain.arguments.data(), &argument, sizeof argument);
    const int result = channels.op(command, FakeDomain::kArguments);
    std::memcpy(&argument, domain.arguments.data(), sizeof argument);
    return result;
  }
  // The guest's usual calls.
  u32 alloc_unbound(u16 remote) {
    xen32::evtchn_alloc_unbound alloc{DOMID_SELF, remote, 0};
    EXPECT_EQ(op(EVTCHNOP_alloc_unbound, alloc), 0);
    return alloc.port;
  }
  int send(u32 port) {
    xen32::evtchn_send argument{port};
    return op(EVTCHNOP_send, argument);
  }
  int close(u32 port) {
    xen32::evtchn_close argument{port};
    return op(EVTCHNOP_close, argument);
  }
};

}  // namespace ringshift::xen::test
