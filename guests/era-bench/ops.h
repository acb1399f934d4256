// The table of operations between era-bench and what it stands on: bare hardware here, a hypervisor's
// hypercalls in a paravirtual build.
//
// Linux's pv_ops (Documentation/virt/paravirt_ops.rst) is a struct of pointers whose calls are patched at
// boot, so that native code pays nothing for it. Here the build chooses: each interface has a file ops_NAME.h
// with these names in namespace ops, inline where a call would be measured with the operation. Nothing else
// in era-bench executes a privileged instruction, but for rows that are about one (rows_hardware.cpp).
//
//   start()                          from the loader's state to one where traps and the timer work
//   kInterface                       its name
//   options(), write(), end()        command line, console, and the end with a status
//   tsc_khz()                        how fast read_tsc() counts
//   disable_interrupts(), enable_interrupts(), idle()
//   enable_paging(), load_root(), flush_page(), set_entry(), make_entry()   tables: three-level PAE in both
//   adopt_table(), drop_table()      a frame becomes a page table, and is none any longer
//   set_trap(), set_kernel_stack(), fault_address()   where traps lead, and what a page fault is about
//   set_task_switched()              CR0.TS
//   arm_timer()                      one interrupt, and when it is due
//
// The way back to CPL 3, ERA_IRET, is assembler's: entry_native.h.
#pragma once

#include "era-bench/ops_native.h"
