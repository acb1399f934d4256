// The table of operations between era-bench and what it stands on: bare hardware, or Xen's hypercalls.
//
// Linux's pv_ops (Documentation/virt/paravirt_ops.rst) is a struct of pointers whose calls are patched at
// boot, so that native code pays nothing for it. Here the build chooses: each interface has a file ops_NAME.h
// with these names in namespace ops, inline where a call would be measured with the operation. Nothing else
// in era-bench executes a privileged instruction, but for rows that are about one (rows_hardware.cpp).
//
//   start()                          from the loader's state to one where traps and the timer work
//   kInterface, kNoDevices, kNoSysenter   its name, and why it lacks what it lacks (else null)
//   kUserCode, kUserData             selectors of CPL 3
//   options(), write(), end()        command line, console, and the end with a status
//   tsc_khz()                        how fast read_tsc() counts
//   has_memory(), first_free_frame()
//   disable_interrupts(), enable_interrupts(), idle()
//   map_kernel(), make_top()         the directories of the first and of the fourth GiB; kTopIsShared
//   load_root(), flush_page(), flush_all()
//   make_entry(), frame_of()         tables: three-level PAE in both; an entry need not hold the frame's
//   number set_entry(), queue_entry(), commit_entries(), change_page()   one entry; several; one, and its TLB
//   entry adopt_table(), adopt_root(), drop_root(), drop_table(), commit_drops()
//                                    a frame becomes a page table, and is none any longer: first all tables
//                                    of an address space are adopted, then its root, and dropped in reverse
//   set_trap(), switch_process(), fault_address()   where traps lead: on whose stack; what a page fault is
//   about set_task_switched()              CR0.TS arm_timer()                      one interrupt, and when it
//   is due system_call()                    a program's way into the kernel hypercall() one that does
//   nothing; null where there is no one to call: kNoHypervisor
//
// The way back to CPL 3, ERA_IRET, is assembler's: entry_NAME.h.
#pragma once

#ifdef ERA_XEN
#include "era-bench/ops_xen.h"
#else
#include "era-bench/ops_native.h"
#endif
