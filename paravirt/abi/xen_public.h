// Xen's public headers (libxen-dev), laid out as a 32-bit x86 guest sees them, in namespace xen32.
//
// The i386 ABI aligns 64-bit fields to 4 bytes: so does pack(4), which changes nothing else there. What comes
// after xen.h gets guest pointers and frame numbers of 32 bits. In xen.h itself these are the host's, so its
// structures that have any are taken from Xen's own foreign/x86_32.h, or stand below. layout_test.cpp
// compares all of them with what `gcc -m32` makes of the same headers.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>

#define __XEN_INTERFACE_VERSION__ 0x00040e00

namespace xen32 {

#pragma pack(push, 4)
#include <xen/errno.h>
#include <xen/xen.h>

using GuestPointer = std::uint32_t;
#undef DEFINE_XEN_GUEST_HANDLE
#undef __DEFINE_XEN_GUEST_HANDLE
#undef __XEN_GUEST_HANDLE
#define DEFINE_XEN_GUEST_HANDLE(name) static_assert(true)
#define __DEFINE_XEN_GUEST_HANDLE(name, type) static_assert(true)
#define __XEN_GUEST_HANDLE(name) GuestPointer
#define xen_pfn_t std::uint32_t
#define xen_ulong_t std::uint32_t
#define xen_callback_t xen_callback_32
struct xen_callback_32 {
  std::uint32_t cs;
  std::uint32_t eip;
};

#include <xen/callback.h>
#include <xen/elfnote.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/io/blkif.h>
#include <xen/io/console.h>
#include <xen/io/protocols.h>
#include <xen/io/xenbus.h>
#include <xen/io/xs_wire.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#undef xen_pfn_t
#undef xen_ulong_t
#undef xen_callback_t
#undef __XEN_GUEST_HANDLE

// xen.h's, with the guest's unsigned long and pointers.
struct mmuext_op_32 {
  std::uint32_t cmd;
  union {
    std::uint32_t mfn;
    std::uint32_t linear_addr;
  } arg1;
  union {
    std::uint32_t nr_ents;
    GuestPointer vcpumask;
    std::uint32_t src_mfn;
  } arg2;
};
struct multicall_entry_32 {
  std::uint32_t op;
  std::uint32_t result;
  std::uint32_t args[6];
};
#pragma pack(pop)

#include <xen/foreign/x86_32.h>  // packs by itself

}  // namespace xen32
