// The machine of the supervisor's tests: where in it stands what, and the selectors and vectors that code may
// use.
//
// The arenas are the differential test's (flat_machine.h), all of them user pages. The system area is the
// supervisor's. An exception ends in a HLT at kStubs + vector, or its handler goes on behind it (Ending).
#pragma once

#include "tests/differential/arena_mapping.h"

namespace ringshift::supervisor {

using differential::kArenaCount;
using differential::kArenas;

// Guest-physical.
inline constexpr u32 kPdpt = 0x1000, kDirectories = 0x2000, kPaeTables = 0x6000;
inline constexpr u32 kDirectory = 0xc000, kTables = 0xd000;
inline constexpr u32 kSystem = 0x14000;
inline constexpr u32 kArenaPages = 0x20000;
// All of RAM: what isn't set anew for each case would be what a case that one engine alone ran has left.
inline constexpr u32 kImageSize = 0x40000;
static_assert(kArenaPages + differential::arena_offset(kArenaCount) <= kImageSize);

// What an exception comes to: the end, or the next multiple of kResumeStep in the code, some times.
enum class Ending : u8 { stop, resume };
inline constexpr u32 kResumeStep = 16, kResumptions = 12;

// How a case begins. Real and v8086 mode have the arenas at their guest-physical addresses.
enum class Mode : u8 { protected32, real, v8086 };
// Their segments, and interrupt vectors: to HLTs at kRealStubs, but some to an IRET.
inline constexpr u32 kRealCode = kArenaPages, kRealData = kArenaPages + differential::arena_offset(1);
inline constexpr u32 kRealStack = kArenaPages + differential::arena_offset(3);
inline constexpr u32 kRealStubs = 0x500, kRealReturn = 0x600;
inline constexpr u8 kFirstReturningVector = 0x30, kReturningVectors = 4;
constexpr u16 real_selector(u32 linear) { return static_cast<u16>(linear >> 4); }

// Linear.
inline constexpr u32 kSystemBase = differential::kSystemLinear;
inline constexpr u32 kGdt = kSystemBase, kLdt = kSystemBase + 0x800, kIdt = kSystemBase + 0x1000;
inline constexpr u32 kTss = kSystemBase + 0x2000, kOtherTss = kSystemBase + 0x2200;
inline constexpr u32 kResumptionsLeft = kSystemBase + 0x2f00;
inline constexpr u32 kStubs = kSystemBase + 0x3000, kHandlers = kStubs + 0x200;
inline constexpr u32 kRing0Top = kSystemBase + 0x4f00, kTaskTop = kSystemBase + 0x5f00;
inline constexpr u32 kSystemPages = 6;
// The tables that map the data arena, for code that changes them. Not where code that ran away comes along:
// what it would execute there depends on the accessed bits, which may be set early.
inline constexpr u32 kDataTable = kSystemBase + 0x20000, kPaeDataTable = kSystemBase + 0x21000;

// Of the GDT. A selector's RPL is the code's own affair.
inline constexpr u16 kNull = 0;
inline constexpr u16 kKernelCode = 0x08;
inline constexpr u16 kKernelData = 0x10;
inline constexpr u16 kUserCode = 0x18;  // SYSEXIT's, as kUserData
inline constexpr u16 kUserData = 0x20;
inline constexpr u16 kSystemCode16 = 0x28;  // its base is kStubs
inline constexpr u16 kDataArena = 0x30;     // DPL 3, its base and limit are the arena's
inline constexpr u16 kNotPresent = 0x38;
inline constexpr u16 kTssSelector = 0x40;
inline constexpr u16 kLdtSelector = 0x48;
inline constexpr u16 kOtherTssSelector = 0x50;
inline constexpr u16 kExpandDown = 0x58;
inline constexpr u16 kReadOnlyData = 0x60;
inline constexpr u16 kExecuteOnly = 0x68;
inline constexpr u16 kCallGate = 0x70;     // to a RETF, DPL 3
inline constexpr u16 kCallGateTwo = 0x78;  // two parameters
inline constexpr u16 kTaskGate = 0x80;     // DPL 3
inline constexpr u16 kRing1Code = 0x88;
inline constexpr u16 kRing1Data = 0x90;
inline constexpr u16 kConforming = 0x98;
inline constexpr u16 kReserved = 0xa0;    // a descriptor of no type
inline constexpr u16 kSmallStack = 0xa8;  // the stack arena, 16-bit
inline constexpr u16 kNotPresentGate = 0xb0;
inline constexpr u16 kSelectorEnd = 0xb8;

// Interrupt vectors that go on: their handlers return.
inline constexpr u8 kIntReturn = 0x30, kTrapReturn = 0x31, kInt16Return = 0x32, kTaskReturn = 0x33;
// Those that don't: DPL 0, not present, a null selector, no gate of an IDT's, a selector of data.
inline constexpr u8 kFirstBadVector = 0x34, kVectorEnd = 0x3a;
// What a pending interrupt asks for; it ends in its stub.
inline constexpr u8 kIrqVector = 0x20;

// The handlers, in this order, kHandlerSize bytes each.
enum class Handler : u32 {
  iret,
  push_and_iret,
  iret16,
  retf,
  retf_two,
  sysexit,
  task,
  resume,
  resume_with_error,  // code
  count
};
inline constexpr u32 kHandlerSize = 32;
constexpr u32 handler_at(Handler handler) { return kHandlers + static_cast<u32>(handler) * kHandlerSize; }

}  // namespace ringshift::supervisor
