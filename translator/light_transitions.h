// Light helpers: segment loads, SYSENTER, SYSEXIT, IRET, CR0.TS, CPUID and a paravirtual guest's INT in their
// usual forms, at a tenth of the price.
//
// Translated code calls them with the guest's x87, XMM and MXCSR live in the host's registers: this file is
// compiled for general registers alone, and calls nothing (tools/check-light-object, run as a test). What is
// unusual is left to the interpreter: nothing has changed then.
#pragma once

#include "translator/bt_context.h"
#include "translator/translation_block.h"

namespace ringshift::bt {

// General registers, EIP (the instruction's) and flags are in VcpuState. Returns where to go on; the stub
// puts the new EIP into r8d and r10d and the site into r11 for it.
using LightHelper = const u8* (*)(BtContext* context, const InterpretSite* site, u32 value, u32 info);

// MOV and POP to ES, DS, FS, GS. value: the selector; info: Seg, and kLightPop.
inline constexpr u32 kLightPop = 1u << 8;
const u8* light_load_segment(BtContext* context, const InterpretSite* site, u32 selector, u32 info);
const u8* light_sysenter(BtContext* context, const InterpretSite* site, u32, u32);
const u8* light_sysexit(BtContext* context, const InterpretSite* site, u32, u32);
const u8* light_iret(BtContext* context, const InterpretSite* site, u32, u32);
// MOV to CR0 (value) that changes TS at most, and CLTS (info: kLightClts).
inline constexpr u32 kLightClts = 1;
const u8* light_cr0(BtContext* context, const InterpretSite* site, u32 value, u32 info);
// INT n (info) where Cpu::delivery_hook is there.
const u8* light_software_interrupt(BtContext* context, const InterpretSite* site, u32, u32 vector);
const u8* light_cpuid(BtContext* context, const InterpretSite* site, u32, u32);

}  // namespace ringshift::bt
